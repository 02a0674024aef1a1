// The SDK as a scenario sees it: every callback recorded in order, every per-call `cb` a promise.

import { anyUid, equal, same, showEvent, Unexpected } from './expect.mjs';

/**
 * One account in one tab.
 *
 * An event is `[target, callback, ...arguments]`; the target is `session`, a channel's name, `channel/peer` for a call,
 * or `tab` for what should never happen there. A scenario reads the events with `saw`, in order and without gaps.
 */
export class Client {
  uid = 0;
  /**
   * The place of the SDK: `start` starts a method of its agent, `call` resolves to the result of one. Both run in
   * order.
   *
   * @type {{start: Function, call: Function, close: Function}}
   */
  tab;
  #patience;
  #events = [];
  #read = 0;
  #rings = [];
  #numbers = 0;
  #wake = () => {};

  /** @param {number} patience milliseconds that an event or an answer may take */
  constructor(account, patience) {
    this.account = account;
    this.#patience = patience;
  }

  /**
   * Starts a login; the outcome is an event. `retry` are the SDK's reconnect arguments. Resolves to the result of
   * getStatus at once.
   */
  login(token, ...retry) {
    return this.tab.start('login', this.account, token, ...retry);
  }

  /** Expects the login to succeed, and learns the uid under which others will see this account. */
  async loggedIn() {
    const [[, , uid]] = await this.saw(['session', 'onLoginSuccess', anyUid]);
    if (this.uid !== 0) equal(uid, this.uid, `${this.account}'s uid at its next login`);
    this.uid = uid;
  }

  /** The result of getStatus. */
  status() {
    return this.tab.call('status');
  }

  /** The result of getSDKVersion. */
  version() {
    return this.tab.call('version');
  }

  logout() {
    this.tab.start('logout');
  }

  /** Sends a peer message; resolves to the arguments of its `cb`. */
  send(peer, message) {
    return this.#answer('messageInstantSend', 'send', peer, message);
  }

  /** Sends a peer message that the server must accept. */
  async sends(peer, message) {
    equal(await this.send(peer, message), [false], 'cb of messageInstantSend');
  }

  /** Invokes `io.agora.signal.NAME`; resolves to the arguments of its `cb`. */
  invoke(name, args) {
    return this.#answer(name, 'invoke', name, args);
  }

  /** Joins a channel; the outcome is events. */
  join(name) {
    const number = this.#number();
    this.tab.start('join', number, name);
    const call = (method, ...args) => this.#answer(method, 'call', number, method, ...args);
    return {
      say: (message) => call('messageChannelSend', message),
      set: (attribute, value) => call('channelSetAttr', attribute, value),
      del: (attribute) => call('channelDelAttr', attribute),
      clear: () => call('channelClearAttr'),
      // With a `cb` the SDK calls that in place of `onChannelLeaved`.
      leave: () => this.tab.start('start', number, 'channelLeave'),
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

  /** Invites `peer`; the outcome is events. Gives the methods of the SDK's Call object. */
  invite(channelName, peer, extra) {
    const number = this.#number();
    this.tab.start('invite', number, channelName, peer, extra);
    return this.#call(number);
  }

  /** Expects an invitation and gives the methods of the SDK's Call object for it. */
  async rung(channelName, peer, extra) {
    await this.saw(['session', 'onInviteReceived', { channelName, peer, extra }]);
    return this.#call(this.#rings.shift());
  }

  /** Expects exactly these events next, in this order, and returns them as recorded. */
  saw(...expected) {
    return this.sawWithin(this.#patience, ...expected);
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

  /** Records an event; the tab uses it for what the agent emits and for what went wrong inside. */
  record(target, callback, ...args) {
    if (callback === 'onInviteReceived') {
      const { number, ...call } = args[0];
      this.#rings.push(number);
      args = [call, ...args.slice(1)];
    }
    this.#events.push([target, callback, ...args]);
    this.#wake();
  }

  #number() {
    this.#numbers += 1;
    return this.#numbers;
  }

  #call(number) {
    const methods = ['channelInviteAccept', 'channelInviteRefuse', 'channelInviteEnd', 'channelInviteDTMF'];
    return Object.fromEntries(methods.map((name) => [name, (...args) => this.tab.start('start', number, name, ...args)]));
  }

  async #answer(method, ...question) {
    let late;
    const patience = new Promise((_, reject) => {
      late = setTimeout(() => {
        reject(new Unexpected(`${this.account}: no cb from ${method} in ${this.#patience} ms${this.#story()}`));
      }, this.#patience);
    });
    try {
      return await Promise.race([this.tab.call(...question), patience]);
    } finally {
      clearTimeout(late);
    }
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
