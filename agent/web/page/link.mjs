// The WebSocket to the bridge: connect, hello, heartbeat, reconnect. It does not interpret objects.

/** The subprotocol, and in front of the secret: a page cannot set a header. */
const PROTOCOL = 'sigbridge.agent.1';
const SECRET = 'sigbridge.secret.';
/** Milliseconds before each try; the last is repeated. */
const DELAYS = [0, 500, 1000, 2000, 5000];
/** Milliseconds after which a dial or a hello has failed. */
const PATIENCE = 5000;
/** Milliseconds of an open link after which the next dial begins at once. */
const STABLE = 1000;
/** Heartbeats of silence after which a link is lost. */
const SILENCE = 3;
/** Why the page closes a socket: a page may give 1000 and 3000 to 4999. */
const CLOSED = { normal: 1000, silent: 4000, misbehaved: 4001 };

export class Link {
  #options;
  #socket;
  #tries = 0;
  #callOff;
  #beat;
  #receivedAt = 0;
  #openSince;
  #ended = false;
  /** For people: what goes on, and why the last link was lost. */
  status = { state: 'closed', dials: 0, error: undefined };

  /**
   * @param {object} options
   * @param {string} options.url
   * @param {string} options.secret empty, if the bridge wants none
   * @param {object} options.clock
   * @param {(url: string, protocols: string[]) => WebSocket} options.dial
   * @param {() => object} options.hello the hello's parameters
   * @param {(result: object) => void} options.opened
   * @param {(object: object) => void} options.received every object after the hello; throws on one that breaks the rules
   * @param {() => void} options.beat at each heartbeat
   * @param {() => void} options.lost after `opened`, or after a dial that led to nothing
   * @param {(text: string) => void} options.log
   */
  constructor(options) {
    this.#options = options;
  }

  get isOpen() {
    return this.status.state === 'open';
  }

  start() {
    this.#dialAfter(0);
  }

  /** Sends a text, if the link is open. */
  send(text) {
    if (this.isOpen) this.#socket.send(text);
  }

  stop() {
    this.#ended = true;
    this.#drop(CLOSED.normal);
    this.status.state = 'closed';
  }

  #dialAfter(milliseconds) {
    this.status.state = 'waiting';
    this.#callOff = this.#options.clock.after(milliseconds, () => this.#dial());
  }

  #dial() {
    const { url, secret, clock, dial } = this.#options;
    this.status.state = 'dialling';
    this.status.dials += 1;
    this.#callOff = clock.after(PATIENCE, () => this.#lose('no answer', CLOSED.silent));
    let socket;
    try {
      socket = dial(url, [PROTOCOL, ...(secret ? [SECRET + base64url(secret)] : [])]);
    } catch (error) {
      this.#lose(error.message);
      return;
    }
    this.#socket = socket;
    socket.onopen = () => this.#greet();
    socket.onmessage = ({ data }) => this.#receive(data);
    // A page gets no reason: a refusal, an unknown address, 401 and 403 all have this form.
    socket.onclose = ({ code, reason }) => {
      const refused = 'no connection: is the bridge running, is the secret its own, does it list the origin of this page?';
      this.#lose(this.status.state === 'dialling' ? refused : `closed by the bridge (${code}${reason ? ` ${reason}` : ''})`);
    };
  }

  #greet() {
    this.status.state = 'greeting';
    const hello = { jsonrpc: '2.0', id: 0, method: 'agent.hello', params: this.#options.hello() };
    this.#socket.send(JSON.stringify(hello));
  }

  #receive(data) {
    this.#receivedAt = this.#options.clock.now();
    try {
      const object = read(data);
      if (this.isOpen) this.#options.received(object);
      else this.#welcome(object);
    } catch (error) {
      this.#lose(error.message, CLOSED.misbehaved);
    }
  }

  #welcome(object) {
    if (object.error) throw new Error(`the bridge refuses: ${object.error.message} (${object.error.code})`);
    const { result, id } = object;
    const isWhole =
      id === 0 &&
      result?.protocol === 1 &&
      typeof result.bridge === 'string' &&
      isPositive(result.window) &&
      isPositive(result.heartbeat);
    if (!isWhole) throw new Error('what the bridge answered to the hello is not understood');
    this.#callOff();
    this.#openSince = this.#options.clock.now();
    this.status.state = 'open';
    this.status.error = undefined;
    this.#options.log(`link open: bridge ${result.bridge}, ${result.resumed ? 'resumed' : 'new'}`);
    this.#watch(result.heartbeat);
    this.#options.opened(result);
  }

  /** Sends a frame at each heartbeat, and closes the link when the other side is silent. */
  #watch(heartbeat) {
    this.#beat = this.#options.clock.after(heartbeat, () => {
      if (this.#options.clock.now() - this.#receivedAt >= SILENCE * heartbeat) {
        this.#lose('the bridge is silent', CLOSED.silent);
        return;
      }
      this.#options.beat();
      this.#watch(heartbeat);
    });
  }

  #lose(why, code = CLOSED.normal) {
    if (this.#ended) return;
    const { clock, log, lost } = this.#options;
    const wasOpen = this.isOpen;
    if (wasOpen && clock.now() - this.#openSince >= STABLE) this.#tries = 0;
    else this.#tries += 1;
    this.#drop(code);
    // A bridge that is away for long would fill the log.
    if (why !== this.status.error) log(`link lost: ${why}`);
    this.status.error = why;
    this.#dialAfter(DELAYS[Math.min(this.#tries, DELAYS.length - 1)]);
    lost();
  }

  /** Forgets the socket at once: the close event of a broken one may take minutes. */
  #drop(code) {
    this.#callOff?.();
    this.#beat?.();
    this.#beat = undefined;
    const socket = this.#socket;
    this.#socket = undefined;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(code);
  }
}

function read(data) {
  if (typeof data !== 'string') throw new Error('the bridge sent no text');
  let object;
  try {
    object = JSON.parse(data);
  } catch {
    throw new Error('the bridge sent no JSON');
  }
  if (typeof object !== 'object' || object === null || Array.isArray(object)) throw new Error('the bridge sent no object');
  return object;
}

function isPositive(number) {
  return Number.isSafeInteger(number) && number > 0;
}

function base64url(text) {
  const bytes = String.fromCharCode(...new TextEncoder().encode(text));
  return btoa(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
