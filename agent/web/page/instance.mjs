// One user session: a client of the SDK, with its channels and invitations.

import { Channels } from './channels.mjs';
import { listen, OF_CLIENT } from './events.mjs';
import { Invitations } from './invitations.mjs';

/** The states in which RTM takes the user for logged in. */
const ONLINE = ['CONNECTED', 'RECONNECTING'];
/** Messages that may wait for the login of the session that takes this over. */
const WAITING = 10_000;

export class Instance {
  sessionId;
  appId;
  userId;
  client;
  channels;
  invitations;
  #create;
  #sink;
  #lost;
  #state = { state: 'DISCONNECTED', reason: 'LOGOUT' };
  /** Messages of peers, from when another driver takes this over to the answer to its login. */
  #waiting;
  #isTaken = false;

  /**
   * @param {object} options
   * @param {string} options.sessionId
   * @param {string} options.appId
   * @param {() => object} options.create makes a client of the SDK; throws what the SDK throws
   * @param {(name: string, params: object) => void} options.sink gets the events
   * @param {(events: number) => void} options.lost counts lost events
   */
  constructor({ sessionId, appId, create, sink, lost }) {
    this.sessionId = sessionId;
    this.appId = appId;
    this.#create = create;
    this.#sink = sink;
    this.#lost = lost;
    this.#begin();
  }

  get isOnline() {
    return ONLINE.includes(this.#state.state);
  }

  /** Where the events go from now on. */
  set sink(sink) {
    this.#sink = sink;
  }

  /**
   * Becomes a session of another driver: what the last one did with it is undone, but for the login.
   *
   * @param {object[]} messages what has come for it meanwhile, which follows the answer to `login`
   */
  adopt(sessionId, messages) {
    this.sessionId = sessionId;
    this.#waiting = messages;
    this.channels.leaveAll();
    this.invitations.clear();
  }

  async login(uid, token) {
    if (this.#waiting && this.isOnline && uid === this.userId) {
      this.#isTaken = true;
      // The session that takes over believes that its token is the one in force.
      if (token) this.client.renewToken(token).catch(() => {});
      return;
    }
    if (this.#waiting) {
      this.end();
      this.#begin();
    }
    this.userId = uid;
    await this.client.login({ uid, token });
  }

  async logout() {
    await this.client.logout();
    this.channels.clear();
  }

  /** Emits the events that waited for the answer to a call. */
  answered() {
    this.invitations.release();
    if (!this.#isTaken) return;
    this.#isTaken = false;
    const messages = this.#waiting;
    this.#waiting = undefined;
    for (const params of messages) this.#sink('MessageFromPeer', params);
    if (this.#state.state !== 'CONNECTED') this.#sink('ConnectionStateChanged', this.#state);
  }

  /** Logs out and emits no more events. */
  end() {
    this.#lost(this.#waiting?.length ?? 0);
    this.#waiting = undefined;
    this.client.removeAllListeners();
    this.channels.clear();
    this.invitations.clear();
    this.client.logout().catch(() => {});
    this.#state = { state: 'DISCONNECTED', reason: 'LOGOUT' };
  }

  #begin() {
    this.client = this.#create();
    const emit = (name, params) => this.#receive(name, params);
    this.channels = new Channels(this.client, emit);
    this.invitations = new Invitations(this.client, emit);
    listen(this.client, OF_CLIENT, emit);
  }

  #receive(name, params) {
    if (name === 'ConnectionStateChanged') this.#state = params;
    if (!this.#waiting) this.#sink(name, params);
    else if (name === 'MessageFromPeer') {
      if (this.#waiting.length < WAITING) this.#waiting.push(params);
      else this.#lost(1);
    }
  }
}
