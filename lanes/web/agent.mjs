// Runs beside the SDK, in a browser's page or in the shim's, and executes commands from outside. Commands and events have a
// JSON form, except for undefined arguments.

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

/** One account of one SDK. Channels and calls have numbers, given by who is outside; invited ones by this. */
export class Agent {
  #emit;
  #signal;
  #session;
  #objects = new Map();
  #rings = 0;

  /**
   * @param {Function} Signal the SDK
   * @param {(target: string, callback: string, ...args: unknown[]) => void} emit gets every callback
   * @param {string} appId
   * @param {{apUrl?: string, lookupUrl?: string}} way the debugging address, or the one-line change; else as it is
   */
  constructor(Signal, emit, appId, { apUrl, lookupUrl }) {
    this.#emit = emit;
    this.#signal = Signal(appId);
    if (apUrl) this.#signal.setup_debugging('ap_url', apUrl);
    if (lookupUrl) this.#signal.lbs_url1 = this.#signal.lbs_url2 = [lookupUrl];
  }

  version() {
    return this.#signal.getSDKVersion();
  }

  /** `retry` are the SDK's reconnect arguments. Gives the status in which it leaves the session. */
  login(account, token, ...retry) {
    this.#session = this.#signal.login(account, token, ...retry);
    this.#listen(this.#session, 'session', SESSION_CALLBACKS);
    return this.#session.getStatus();
  }

  logout() {
    this.#session.logout();
  }

  status() {
    return this.#session.getStatus();
  }

  send(peer, message) {
    return this.#answer('messageInstantSend', (cb) => this.#session.messageInstantSend(peer, message, cb));
  }

  invoke(name, args) {
    return this.#answer(name, (cb) => this.#session.invoke(`io.agora.signal.${name}`, args, cb));
  }

  join(number, name) {
    const channel = this.#session.channelJoin(name);
    this.#objects.set(number, channel);
    this.#listen(channel, name, CHANNEL_CALLBACKS);
  }

  invite(number, channelName, peer, extra) {
    const call = this.#session.channelInviteUser2(channelName, peer, extra);
    this.#objects.set(number, call);
    this.#listen(call, `${channelName}/${peer}`, CALL_CALLBACKS);
  }

  /** Calls a method of a channel or a call. */
  start(number, method, ...args) {
    this.#objects.get(number)[method](...args);
  }

  /** Calls a method of a channel; resolves to the arguments of its `cb`. */
  call(number, method, ...args) {
    return this.#answer(method, (cb) => this.#objects.get(number)[method](...args, cb));
  }

  #listen(object, target, callbacks) {
    for (const name of callbacks) {
      object[name] = (...args) => this.#emit(target, name, ...args.map((arg) => this.#plain(arg)));
    }
  }

  // A Call contains functions. It is stored, and reported as its number with the three fields that applications read.
  #plain(value) {
    if (typeof value?.channelInviteAccept !== 'function') return value;
    const { channelName, peer, extra } = value;
    this.#rings -= 1;
    this.#objects.set(this.#rings, value);
    this.#listen(value, `${channelName}/${peer}`, CALL_CALLBACKS);
    return { number: this.#rings, channelName, peer, extra };
  }

  #answer(method, start) {
    return new Promise((resolve) => {
      let answered = false;
      start((...args) => {
        if (answered) this.#emit('tab', `second cb of ${method}`, ...args);
        answered = true;
        resolve(args);
      });
    });
  }
}
