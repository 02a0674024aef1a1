// The SDK as a scenario sees it: every callback recorded in order, every per-call `cb` a promise.

import { anyUid, equal, same, showEvent, Unexpected } from './expect.mjs';

const PATIENCE = 5_000;

// Handlers the documentation names, whether or not this build ever calls them: what is not assigned is not seen.
const SESSION_CALLBACKS = [
  'onLoginSuccess',
  'onLoginFailed',
  'onLogout',
  'onError',
  'onReconnecting',
  'onReconnectSuccess',
  'onReconnectFailed',
  'onMessageInstantReceive',
  'onInviteReceived',
];
const CHANNEL_CALLBACKS = [
  'onChannelJoined',
  'onChannelJoinFailed',
  'onChannelLeaved',
  'onChannelUserList',
  'onChannelUserJoined',
  'onChannelUserLeaved',
  'onChannelAttrUpdated',
  'onMessageChannelReceive',
];
const CALL_CALLBACKS = [
  'onInviteReceivedByPeer',
  'onInviteAcceptedByPeer',
  'onInviteRefusedByPeer',
  'onInviteFailed',
  'onInviteEndByPeer',
  'onInviteEndByMyself',
  'onInviteMsg',
];

/**
 * One account in one tab.
 *
 * An event is `[target, callback, ...arguments]`; the target is `session`, a channel's name, `channel/peer` for a call,
 * or `tab` for what should never happen there. A scenario reads the events with `saw`, in order and without gaps.
 */
export class Client {
  uid = 0;
  #events = [];
  #read = 0;
  #calls = [];
  #wake = () => {};

  /** @param {{account: string, signal: object, tab: import('./shim.mjs').Tab}} parts */
  constructor({ account, signal, tab }) {
    this.account = account;
    this.signal = signal;
    this.tab = tab;
  }

  /** Starts a login; the outcome is an event. `retry` are the SDK's reconnect arguments. */
  login(token, ...retry) {
    this.session = this.signal.login(this.account, token, ...retry);
    this.#listen(this.session, 'session', SESSION_CALLBACKS);
  }

  /** Expects the login to succeed, and learns the uid under which others will see this account. */
  async loggedIn() {
    const [[, , uid]] = await this.saw(['session', 'onLoginSuccess', anyUid]);
    if (this.uid !== 0) equal(uid, this.uid, `${this.account}'s uid at its next login`);
    this.uid = uid;
  }

  get status() {
    return this.session.getStatus();
  }

  logout() {
    this.session.logout();
  }

  /** Sends a peer message; resolves to the arguments of its `cb`. */
  send(peer, message) {
    return this.#answer('messageInstantSend', (cb) => this.session.messageInstantSend(peer, message, cb));
  }

  /** Sends a peer message of which the server must say that it has it. */
  async sends(peer, message) {
    equal(await this.send(peer, message), [false], 'cb of messageInstantSend');
  }

  /** Invokes `io.agora.signal.NAME`; resolves to the arguments of its `cb`. */
  invoke(name, args) {
    return this.#answer(name, (cb) => this.session.invoke(`io.agora.signal.${name}`, args, cb));
  }

  /** Joins a channel; the outcome is events. */
  join(name) {
    const channel = this.session.channelJoin(name);
    this.#listen(channel, name, CHANNEL_CALLBACKS);
    const call = (method, ...args) => this.#answer(method, (cb) => channel[method](...args, cb));
    return {
      say: (message) => call('messageChannelSend', message),
      set: (attribute, value) => call('channelSetAttr', attribute, value),
      del: (attribute) => call('channelDelAttr', attribute),
      clear: () => call('channelClearAttr'),
      // With a `cb` the SDK calls that in place of `onChannelLeaved`.
      leave: () => channel.channelLeave(),
      leaveWithCallback: () => call('channelLeave'),
    };
  }

  /** Joins and expects the answer: joined, then `members` (itself last or not), then the attributes. */
  async joins(name, members, attributes = []) {
    const channel = this.join(name);
    await this.saw(
      [name, 'onChannelJoined'],
      [name, 'onChannelUserList', members],
      ...attributes.map(([key, value]) => [name, 'onChannelAttrUpdated', key, value, 'update']),
    );
    return channel;
  }

  /** Invites `peer`; the outcome is events. */
  invite(channelName, peer, extra) {
    const call = this.session.channelInviteUser2(channelName, peer, extra);
    this.#listen(call, `${channelName}/${peer}`, CALL_CALLBACKS);
    return call;
  }

  /** Expects an invitation and gives the SDK's Call object for it. */
  async rung(channelName, peer, extra) {
    await this.saw(['session', 'onInviteReceived', { channelName, peer, extra }]);
    return this.#calls.shift();
  }

  /** Expects exactly these events next, in this order, and returns them as recorded. */
  saw(...expected) {
    return this.sawWithin(PATIENCE, ...expected);
  }

  async sawWithin(patience, ...expected) {
    const start = this.#read;
    const deadline = Date.now() + patience;
    for (const [index, event] of expected.entries()) {
      while (this.#events.length <= start + index && Date.now() < deadline) await this.#next(deadline);
      const got = this.#events[start + index];
      if (!got || !same(got, event)) {
        throw new Unexpected(
          `${this.account}: expected ${showEvent(event)}, got ${got ? showEvent(got) : `nothing in ${patience} ms`}` +
            this.#story(),
        );
      }
    }
    this.#read = start + expected.length;
    return this.#events.slice(start, this.#read);
  }

  /** Fails when an event is left that no `saw` has read: this is how "exactly once" is checked. */
  nothingElse() {
    if (this.#events.length > this.#read) {
      throw new Unexpected(`${this.account}: unexpected ${showEvent(this.#events[this.#read])}${this.#story()}`);
    }
  }

  /** Records an event; the tab uses it for what went wrong inside. */
  record(target, callback, ...args) {
    this.#events.push([target, callback, ...args]);
    this.#wake();
  }

  #listen(object, target, callbacks) {
    for (const name of callbacks) {
      object[name] = (...args) => this.record(target, name, ...args.map((arg) => this.#plain(arg)));
    }
  }

  // Values of the tab have the prototypes of another realm; a clone has ours and compares. A Call is full of functions:
  // it is put aside for `rung` and recorded as the three fields an application reads.
  #plain(value) {
    if (typeof value?.channelInviteAccept !== 'function') return structuredClone(value);
    const { channelName, peer, extra } = value;
    this.#listen(value, `${channelName}/${peer}`, CALL_CALLBACKS);
    this.#calls.push(value);
    return { channelName, peer, extra };
  }

  #answer(method, start) {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        reject(new Unexpected(`${this.account}: no cb from ${method} in ${PATIENCE} ms${this.#story()}`));
      }, PATIENCE);
      let answered = false;
      start((...args) => {
        const plain = args.map((arg) => this.#plain(arg));
        if (answered) return this.record('tab', `second cb of ${method}`, ...plain);
        answered = true;
        clearTimeout(late);
        resolve(plain);
      });
    });
  }

  #next(deadline) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, deadline - Date.now()));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #story() {
    return `; all events so far: ${this.#events.map(showEvent).join(', ') || 'none'}`;
  }
}
