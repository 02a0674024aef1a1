// The page's beginning: the launcher calls what is on `window`, and reads what `agentLog` gets.

import { clock } from './clock.mjs';
import { Host } from './host.mjs';

let host;

/** @param {object} config url, secret, areas, cloudProxy, sdkLog */
window.startAgent = (config) => {
  host?.stop();
  host = new Host({
    ...config,
    sdk: window.AgoraRTM,
    clock,
    dial: (url, protocols) => new WebSocket(url, protocols),
    random: () => crypto.randomUUID(),
    log: (text) => window.agentLog(text),
  });
  host.start();
};

window.agentStatus = () => JSON.stringify(host?.status ?? null);
window.stopAgent = () => host?.stop();
