// A TCP proxy that can drop connections: the network failure of the scenarios that need one.

import net from 'node:net';

/** Listens on a free port of 127.0.0.1 in front of `port`. */
export async function startProxy(port) {
  const proxy = new Proxy(port);
  await proxy.listening;
  return proxy;
}

class Proxy {
  #pairs = new Set();
  #waiting = new Set();
  #held = false;

  constructor(target) {
    this.target = target;
    this.server = net.createServer((client) => this.#accept(client));
    this.listening = new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(0, '127.0.0.1', resolve);
    });
  }

  get port() {
    return this.server.address().port;
  }

  /** Cuts every connection, without a closing handshake, as a lost network does. */
  sever() {
    for (const [client, upstream] of this.#pairs) {
      client.resetAndDestroy();
      upstream.resetAndDestroy();
    }
  }

  /** From now on connections are accepted and get no further. */
  hold() {
    this.#held = true;
  }

  /** Lets the held connections through, and all later ones. */
  release() {
    this.#held = false;
    for (const client of this.#waiting) this.#connect(client);
    this.#waiting.clear();
  }

  close() {
    this.sever();
    for (const client of this.#waiting) client.destroy();
    this.server.close();
  }

  #accept(client) {
    client.on('error', () => {});
    if (!this.#held) return this.#connect(client);
    this.#waiting.add(client);
    client.once('close', () => this.#waiting.delete(client));
  }

  #connect(client) {
    const upstream = net.connect(this.target, '127.0.0.1');
    const pair = [client, upstream];
    this.#pairs.add(pair);
    upstream.on('error', () => client.destroy());
    client.once('close', () => upstream.destroy());
    upstream.once('close', () => {
      client.destroy();
      this.#pairs.delete(pair);
    });
    client.pipe(upstream).pipe(client);
  }
}
