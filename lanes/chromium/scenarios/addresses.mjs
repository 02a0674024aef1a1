// What the SDK, and the browser behind it, make of an entry of the look-up's list (each proven or refuted here).

import { equal } from '../../web/expect.mjs';

const ESCAPED = 'bridge%2Eexample%2Ecom:8443/?';

/**
 * As an entry, in the SDK; `page` is where the application is, `address` where its sockets go. In place of the entry,
 * `lookup` is where a bridge answers with one.
 */
const ENTRIES = [
  {
    name: 'entry-two-slashes',
    entry: [`//${ESCAPED}`, 0],
    address: 'wss://bridge.example.com:8443/?,0',
  },
  {
    // 1.4 takes the page's scheme, so that a page by http connects without TLS.
    name: 'entry-two-slashes-http',
    page: 'http://app.example.com/',
    entry: [`//${ESCAPED}`, 0],
    address: 'ws://bridge.example.com:8443/?,0',
  },
  {
    // Refuted: for 1.4 this is a path on the application's own site.
    name: 'entry-escaped',
    entry: [ESCAPED, 0],
    address: 'wss://app.example.com/bridge%2Eexample%2Ecom:8443/?,0',
    fails: true,
  },
  {
    name: 'entry-url',
    entry: 'wss://bridge.example.com:8443/',
    address: 'wss://bridge.example.com:8443/',
  },
  {
    name: 'entry-url-of-bridge',
    lookup: 'https://bridge.example.com:8443/1.4',
    address: 'wss://bridge.example.com:8443/',
  },
  {
    name: 'entry-url-in-list',
    entry: ['wss://bridge.example.com:8443/?', 0],
    address: 'wss://bridge.example.com:8443/?,0',
  },
];

/** As the addresses that builds up to 1.3.3 write from an entry; these builds are not on npm. */
const WRITTEN = [
  { name: 'written-two-slashes', written: `wss:////${ESCAPED}-sig-web.agora.io:1/` },
  { name: 'written-escaped', written: `wss://${ESCAPED}-sig-web.agora.io:1/` },
];

const common = { needs: 'open', ways: ['oneline'] };

export const scenarios = [
  ...ENTRIES.map(({ name, page, entry, lookup, address, fails }) => ({
    ...common,
    name,
    async run(ctx) {
      const alice = await ctx.client(ctx.name('alice'), { page, lookup, list: entry && [entry] });
      alice.login(ctx.token(alice.account));
      if (fails) {
        await alice.sawWithin(10_000, ['session', 'onLoginFailed', 201]);
      } else {
        await alice.loggedIn();
        await alice.sends(alice.account, 'inside');
        await alice.saw(['session', 'onMessageInstantReceive', alice.account, 0, 'inside']);
      }
      equal(new Set(alice.tab.addresses()), new Set([address]), 'addresses of the sockets');
    },
  })),
  ...WRITTEN.map(({ name, written }) => ({
    ...common,
    name,
    async run(ctx) {
      const alice = await ctx.client(ctx.name('alice'), { lookup: 'https://bridge.example.com:8443' });
      const got = await alice.tab.evaluate(answerToLogin, [written, alice.account]);
      equal(got, { url: 'wss://bridge.example.com:8443/?-sig-web.agora.io:1/', answer: 'login_ret' }, 'the socket');
    },
  })),
];

/** In the page: where a socket really goes, and the name of the frame that answers a login. */
function answerToLogin([address, account]) {
  const login = { vid: 'app', account, uid: 0, token: '_no_need_token', device: 'websdk', ip: '' };
  return new Promise((resolve) => {
    const socket = new WebSocket(address);
    socket.onopen = () => socket.send(JSON.stringify(['login', login]));
    socket.onmessage = ({ data }) => {
      resolve({ url: socket.url, answer: JSON.parse(data)[0] });
      socket.close();
    };
    socket.onerror = () => resolve({ url: socket.url, answer: 'none' });
  });
}
