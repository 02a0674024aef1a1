// The WebSocket class of one tab: `ws`, with the two differences a page could notice taken away.

/**
 * @param {typeof import('ws').WebSocket} WebSocket
 * @param {{way: string, port: number, connectPort: number, sockets: Set, guard: Function}} tab
 */
export function socketFor(WebSocket, tab) {
  return class TabSocket extends WebSocket {
    constructor(url) {
      super(target(tab, String(url)));
      tab.sockets.add(this);
      // Without a listener `ws` would throw a failed connection out of the process; a browser only closes.
      this.on('error', () => {});
    }
  };
}

/** Guards a handler property, so that what the SDK throws is blamed on its own scenario. */
export function guardHandlers(TabSocket, tab) {
  for (const type of ['open', 'message', 'close', 'error']) {
    const property = `on${type}`;
    const inherited = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(TabSocket.prototype), property);
    Object.defineProperty(TabSocket.prototype, property, {
      configurable: true,
      get: inherited.get,
      set(handler) {
        const guarded = (event) => tab.guard(`WebSocket ${type}`, () => handler.call(this, event));
        inherited.set.call(this, typeof handler === 'function' ? guarded : handler);
      },
    });
  }
  return TabSocket;
}

// A looked-up address has to be the one the SDK builds from `["127.0.0.1", P]`: TLS, dashes, P + 1. Only then does the
// connection go to the plain port, which is what a certificate and a DNS entry would do in production. By the path for
// 1.4 the SDK is given the address itself.
function target(tab, url) {
  if (tab.way === 'url') return url;
  const whole = `ws://127.0.0.1:${tab.port}/`;
  const expected = tab.way === 'path' ? whole : `wss://127-0-0-1-sig-web.agora.io:${tab.port + 1}/`;
  if (url !== expected) {
    tab.complain(`the looked-up address is ${url}, expected ${expected}`);
  }
  return `ws://127.0.0.1:${tab.connectPort}/`;
}
