// The console of the admin address. Content of clients is written as text only.

const main = document.getElementById('main');
const views = { sessions, live, migration, tables, recordings, nodes, doctor };
const titles = { sessions: 'Sessions', live: 'Live', migration: 'Migration', tables: 'Tables', recordings: 'Recordings',
  nodes: 'Nodes', doctor: 'Doctor' };
let token = '';
let leave = () => {};
let state = {};

// ---------- elements

/** Creates an element. `on…` are listeners; other properties are attributes; children are elements or text. */
function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (key === 'class') element.className = value;
    else if (value !== false && value !== undefined && value !== null) element.setAttribute(key, value === true ? '' : value);
  }
  add(element, children);
  return element;
}

function add(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

function show(element, ...children) {
  element.textContent = '';
  add(element, children);
}

const pill = (text, kind = '') => h('span', { class: `pill ${kind}` }, text);
const number = (n) => Number(n ?? 0).toLocaleString('en');
const time = (ms) => new Date(ms).toLocaleTimeString('en-GB') + '.' + String(ms % 1000).padStart(3, '0');

function age(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 120) return `${s} s`;
  if (s < 7200) return `${Math.floor(s / 60)} min`;
  return s < 172800 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} d`;
}

function size(bytes) {
  return bytes < 10_000 ? `${number(bytes)} B` : bytes < 10_000_000 ? `${number(Math.round(bytes / 1000))} kB`
    : `${number(Math.round(bytes / 1e6))} MB`;
}

function announce(text) {
  document.getElementById('announce').textContent = text;
}

// ---------- requests

/** Sends a request, with the token once there is one. */
async function request(path, options = {}) {
  const headers = { ...options.headers };
  if (token) headers.authorization = `Bearer ${token}`;
  const answer = await fetch(path, { ...options, headers, cache: 'no-store' });
  if (answer.status !== 401) return answer;
  const given = await showDialog('Token', 'This admin address needs the token of [admin] token_file. It is kept until the page is closed.', true);
  if (given === null) throw new Error('no token');
  token = given;
  return request(path, options);
}

async function get(path) {
  const answer = await request(path, { headers: { accept: 'application/json' } });
  if (!answer.ok) throw new Error((await answer.text()).trim() || `${answer.status}`);
  return answer.json();
}

async function post(path, body) {
  const answer = await request(path, { method: 'POST', body });
  const text = (await answer.text()).trim();
  if (!answer.ok) throw new Error(text || `${answer.status}`);
  return text;
}

let asking = null;

/** Shows a dialog for a confirmation or a token. Resolves to null if it is refused. */
function showDialog(title, text, secret = false) {
  if (secret && asking) return asking;
  const dialog = document.getElementById('prompt');
  document.getElementById('prompt-title').textContent = title;
  document.getElementById('prompt-text').textContent = text;
  document.getElementById('prompt-field').hidden = !secret;
  const input = document.getElementById('prompt-input');
  input.value = '';
  dialog.returnValue = 'no';
  dialog.showModal();
  const answer = new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      asking = null;
      resolve(dialog.returnValue === 'yes' ? input.value : null);
      input.value = '';
    }, { once: true });
  });
  if (secret) asking = answer;
  return answer;
}

/** Runs `work` now and again, never twice at once and not in a hidden page. Returns the end of it. */
function every(milliseconds, work) {
  let over = false;
  let timer;
  const run = async () => {
    if (over) return;
    try {
      if (!document.hidden) await work();
      document.body.classList.remove('lost');
    } catch (error) {
      if (!over) failed(error);
    }
    if (!over) timer = setTimeout(run, typeof milliseconds === 'function' ? milliseconds() : milliseconds);
  };
  run();
  return () => {
    over = true;
    clearTimeout(timer);
  };
}

function failed(error) {
  announce(`Failed: ${error.message}`);
  show(document.getElementById('status'), pill(error.message === 'no token' ? 'no token' : 'no connection', 'bad'));
}

// ---------- frame of the page

function bar(title, ...children) {
  return h('div', { class: 'bar' }, h('h1', {}, title), ...children);
}

function table(columns, properties = {}) {
  const head = columns.map((column) => h('th', { scope: 'col', class: column.num ? 'num' : '' }, column.name ?? column));
  const body = h('tbody');
  const element = h('table', properties, h('thead', {}, h('tr', {}, head)), body);
  return { element, body };
}

const card = (...children) => h('div', { class: 'card' }, ...children);
const empty = (text) => h('div', { class: 'empty' }, text);
const rowLink = (row, place) => row && h('a', { class: 'mono', href: `#/tables/${encodeURIComponent(row)}`, title: place ?? row }, row);

function route() {
  const [name, ...rest] = location.hash.replace(/^#\/?/, '').split('/');
  const view = views[name] ? name : 'sessions';
  leave();
  leave = () => {};
  document.title = `${titles[view]} – sigbridge`;
  for (const link of document.querySelectorAll('nav a')) {
    if (link.dataset.view === view) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  main.textContent = '';
  leave = views[view](decodeURIComponent(rest.join('/'))) ?? (() => {});
}

async function status() {
  state = await get('/status');
  const reasons = state.reasons.map((reason) => reason.reason.replace('_', ' ')).join(', ');
  show(document.getElementById('status'),
    h('span', {}, `${number(state.sessions)} sessions`),
    h('span', {}, `v${state.version}`),
    pill(state.ready ? 'ready' : reasons, state.ready ? 'ok' : 'warn'));
}

// ---------- sessions

/** Shows the rows that are in view only: thousands of rows take no longer than a screen of them. */
function windowed(scroller, body, height, columns, draw) {
  let rows = [];
  let shown = '';
  const space = (pixels) => {
    const cell = h('td', { colspan: columns });
    cell.style.height = `${pixels}px`;
    cell.style.padding = '0';
    return h('tr', { 'aria-hidden': true }, cell);
  };
  const paint = (force) => {
    const first = Math.max(0, Math.floor(scroller.scrollTop / height) - 10);
    const last = Math.min(rows.length, first + Math.ceil((scroller.clientHeight || 600) / height) + 20);
    if (!force && shown === `${first}-${last}`) return;
    shown = `${first}-${last}`;
    const focused = body.contains(document.activeElement) && document.activeElement.closest('tr')?.dataset.id;
    const action = document.activeElement?.dataset?.action;
    show(body, first > 0 && space(first * height), rows.slice(first, last).map(draw),
      last < rows.length && space((rows.length - last) * height));
    if (focused) {
      const row = [...body.children].find((row) => row.dataset.id === focused);
      (row?.querySelector(`[data-action="${action}"]`) ?? row)?.focus();
    }
  };
  scroller.addEventListener('scroll', () => paint(false));
  return (next) => {
    rows = next;
    paint(true);
  };
}

function sessions() {
  const PAGE = 1000;
  let offset = 0;
  let known = new Set();
  let matched = 0;
  const search = h('input', { type: 'search', placeholder: 'account, channel, address, app', 'aria-label': 'Search', oninput: again });
  const profile = h('select', { 'aria-label': 'Profile', onchange: again }, h('option', { value: '' }, 'all profiles'));
  const connected = h('select', { 'aria-label': 'Connection', onchange: again }, h('option', { value: '' }, 'with and without connection'),
    h('option', { value: 'true' }, 'connected'), h('option', { value: 'false' }, 'in grace time'));
  const inexact = h('input', { type: 'checkbox', onchange: again });
  const count = h('span', { class: 'dim', id: 'count' });
  const older = h('button', { onclick: () => page(PAGE) }, 'Older');
  const newer = h('button', { onclick: () => page(-PAGE) }, 'Newer');
  const columns = ['Account', 'App', 'Profile', 'Build', 'Address', 'Channel', { name: 'Mailbox', num: true },
    { name: 'Inexact', num: true }, { name: 'Calls', num: true }, { name: 'Events', num: true }, { name: 'Age', num: true },
    h('span', { class: 'sr' }, 'Actions')];
  const list = table(columns, { 'aria-label': 'Sessions' });
  const scroller = h('div', { class: 'scroll' }, list.element);
  const draw = windowed(scroller, list.body, 30, columns.length, row);
  const nothing = empty('No sessions');
  const counts = h('ul', { class: 'counts', 'aria-label': 'Refused logins by reason' });
  const latest = table(['Time', 'Reason', 'Account', 'App', 'Profile', 'Address'], { 'aria-label': 'Latest refused logins' });
  add(main, [
    bar('Sessions', search, profile, connected, h('label', { class: 'check' }, inexact, 'inexact only'), h('span', { class: 'grow' }),
      count, newer, older),
    h('div', { class: 'card fill' }, scroller, nothing),
    h('div', { class: 'pair' },
      card(h('div', { class: 'bar' }, h('h2', {}, 'Refused logins')), h('div', { class: 'scroll' }, counts)),
      card(h('div', { class: 'bar' }, h('h2', {}, 'Latest refusals')), h('div', { class: 'scroll' }, latest.element))),
  ]);
  get('/tables').then((all) => {
    for (const name of all.profiles) profile.append(h('option', { value: name }, name));
  }).catch(() => {});

  function again() {
    offset = 0;
    load().catch(failed);
  }

  function page(step) {
    offset = Math.max(0, offset + step);
    scroller.scrollTop = 0;
    load().catch(failed);
  }

  async function load() {
    const query = new URLSearchParams({ limit: PAGE, offset });
    if (search.value) query.set('text', search.value.trim());
    if (profile.value) query.set('profile', profile.value);
    if (connected.value) query.set('connected', connected.value);
    if (inexact.checked) query.set('inexact', '1');
    const answer = await get(`/sessions?${query}`);
    matched = answer.matched;
    const fresh = known.size > 0;
    for (const session of answer.sessions) {
      session.now = answer.now_ms;
      session.fresh = fresh && !known.has(session.id);
    }
    known = new Set(answer.sessions.map((session) => session.id));
    draw(answer.sessions);
    list.element.setAttribute('aria-rowcount', answer.sessions.length);
    nothing.hidden = answer.sessions.length > 0;
    const last = answer.offset + answer.sessions.length;
    count.textContent = answer.matched ? `${number(answer.offset + 1)}–${number(last)} of ${number(answer.matched)}` : '0';
    newer.hidden = older.hidden = answer.matched <= answer.sessions.length;
    newer.disabled = offset === 0;
    older.disabled = last >= answer.matched;
  }

  async function refusals() {
    const answer = await get('/logins');
    const reasons = Object.entries(answer.refused).sort((a, b) => b[1] - a[1]);
    show(counts, reasons.map(([reason, n]) => h('li', {}, h('span', {}, reason), h('span', {}, number(n)))),
      reasons.length === 0 && h('li', { class: 'dim' }, 'none since the start'));
    show(latest.body, answer.latest.map((refusal) => h('tr', {}, h('td', { class: 'dim' }, time(refusal.at_ms)),
      h('td', {}, pill(refusal.reason, 'bad')), h('td', { class: 'cut' }, refusal.account ?? '–'),
      h('td', { class: 'cut mono' }, refusal.app), h('td', {}, refusal.profile), h('td', { class: 'mono' }, refusal.peer))));
  }

  function row(session) {
    const go = () => { location.hash = `#/live/${session.id}`; };
    const plain = (value) => (value ? number(value) : h('span', { class: 'dim' }, '0'));
    const keys = (event) => {
      if (event.target !== event.currentTarget) return;
      if (event.key === 'Enter') go();
      else if (event.key === 'Delete') close(session);
      else if (event.key === 'ArrowDown') event.currentTarget.nextElementSibling?.focus();
      else if (event.key === 'ArrowUp') event.currentTarget.previousElementSibling?.focus();
      else return;
      event.preventDefault();
    };
    return h('tr', { tabindex: 0, 'data-id': session.id, class: session.fresh ? 'new' : '', onkeydown: keys, ondblclick: go },
      h('td', { class: 'cut', title: session.account ?? '' }, session.account ?? '–'),
      h('td', { class: 'cut mono', title: session.app }, session.app),
      h('td', {}, session.connections > 0 ? pill(session.profile, 'ok') : pill(`${session.profile} · grace`, 'warn')),
      h('td', { class: 'cut dim', title: session.build }, session.build),
      h('td', { class: 'mono' }, session.peer),
      h('td', { class: 'cut', title: session.channel ?? '' }, session.channel ?? h('span', { class: 'dim' }, '–')),
      h('td', { class: 'num' }, plain(session.mailbox_lines)),
      h('td', { class: 'num' }, session.inexact ? pill(number(session.inexact), 'warn plain') : plain(0)),
      h('td', { class: 'num' }, plain(session.calls)),
      h('td', { class: 'num' }, plain(session.events)),
      h('td', { class: 'num dim' }, age(session.now - session.since_ms)),
      h('td', { class: 'actions' },
        h('a', { class: 'button small', href: `#/live/${session.id}`, 'data-action': 'live', 'aria-label': `Live view of ${session.account ?? session.id}` }, 'Live'),
        h('button', { class: 'small danger', 'data-action': 'close', onclick: () => close(session), 'aria-label': `Close the session of ${session.account ?? session.id}` }, 'Close')));
  }

  const stops = [every(() => (matched > 2000 ? 3000 : 600), load), every(1000, refusals)];
  return () => stops.forEach((stop) => stop());
}

async function close(session) {
  const sure = await showDialog('Close this session?', `${session.account ?? session.id} is disconnected. Its unread messages wait for the next login.`);
  if (sure === null) return;
  try {
    await post(`/sessions/${session.id}/close`);
    announce('Session closed');
  } catch (error) {
    announce(error.message);
  }
}

// ---------- live

const KINDS = {
  'frame-in': ['client →', 'info'], 'frame-out': ['client ←', 'info'], call: ['→ RTM', 'violet'], reply: ['← RTM reply', 'violet'],
  event: ['← RTM event', 'teal'], timer: ['timer', ''], note: ['limitation', 'warn'], state: ['state', ''], begin: ['begin', 'ok'],
  connection: ['connection', ''], end: ['end', 'bad'],
};

function live(id) {
  const MOST = 2000;
  const pause = h('button', { 'aria-pressed': 'false', onclick: toggle }, 'Pause');
  const filter = h('input', { type: 'search', placeholder: 'filter', 'aria-label': 'Filter events', oninput: refilter });
  const streamState = h('span', { class: 'dim', role: 'status' });
  const list = table(['Time', 'Kind', 'Row', 'Content'], { class: 'timeline', 'aria-label': 'Events of the session' });
  const scroller = h('div', { class: 'scroll' }, list.element);
  const facts = h('dl', { class: 'facts' });
  const detail = h('div', { class: 'card detail', 'aria-live': 'polite' });
  let paused = false;
  let held = [];
  let profile = 'web';
  const abort = new AbortController();
  if (!id) {
    add(main, [bar('Live'), card(empty('Select a session: the button Live in the list of sessions opens its timeline here.'))]);
    return () => {};
  }
  show(detail, empty('Select an event'));
  add(main, [
    bar('Live', filter, pause, h('button', { onclick: () => { list.body.textContent = ''; } }, 'Clear'), streamState, h('span', { class: 'grow' }),
      h('button', { class: 'danger', onclick: () => close({ id, account: facts.dataset.account }) }, 'Close session')),
    card(facts),
    h('div', { class: 'split' }, h('div', { class: 'card fill' }, scroller), detail),
  ]);

  async function load() {
    const session = await get(`/sessions/${id}`);
    profile = session.profile;
    facts.dataset.account = session.account ?? id;
    const fact = (name, value) => h('div', {}, h('dt', {}, name), h('dd', {}, value));
    show(facts, fact('Account', session.account ?? '–'), fact('App', session.app), fact('Profile', session.profile), fact('Build', session.build),
      fact('Address', session.peer), fact('Channel', session.channel ?? '–'), fact('Mailbox', number(session.mailbox_lines)),
      fact('Inexact', number(session.inexact)), fact('Session', h('span', { class: 'mono' }, session.id)));
  }

  function toggle() {
    paused = !paused;
    pause.setAttribute('aria-pressed', String(paused));
    pause.textContent = paused ? 'Resume' : 'Pause';
    if (!paused) held.splice(0).forEach(put);
  }

  function matches(row) {
    return !filter.value || row.textContent.toLowerCase().includes(filter.value.toLowerCase());
  }

  function refilter() {
    for (const row of list.body.children) row.hidden = !matches(row);
  }

  function put(event) {
    if (paused) {
      if (held.length < MOST) held.push(event);
      return;
    }
    const atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 40;
    const [name, color] = KINDS[event.kind] ?? [event.kind, ''];
    const text = typeof event.what === 'string' ? event.what : JSON.stringify(event.what);
    const keys = (key) => {
      if (key.key === 'Enter' || key.key === ' ') select(row, event);
      else if (key.key === 'ArrowDown') row.nextElementSibling?.focus();
      else if (key.key === 'ArrowUp') row.previousElementSibling?.focus();
      else return;
      key.preventDefault();
    };
    const row = h('tr', { tabindex: 0, 'data-kind': event.kind, 'data-row': event.row, onclick: () => select(row, event), onkeydown: keys },
      h('td', { class: 'mono' }, time(event.at_ms)), h('td', {}, pill(name, color)), h('td', {}, rowLink(event.row, event.place)),
      h('td', { class: 'mono', title: text.slice(0, 300) }, text));
    row.hidden = !matches(row);
    list.body.append(row);
    if (list.body.children.length > MOST) list.body.firstElementChild.remove();
    if (atEnd) scroller.scrollTop = scroller.scrollHeight;
  }

  async function select(row, event) {
    for (const other of list.body.querySelectorAll('[aria-selected]')) other.removeAttribute('aria-selected');
    row.setAttribute('aria-selected', 'true');
    const [name, color] = KINDS[event.kind] ?? [event.kind, ''];
    let what = event.what;
    if (typeof what === 'string') {
      try { what = JSON.parse(what); } catch { /* a line of the native wire */ }
    }
    const content = typeof what === 'string' ? what : JSON.stringify(what, null, 2);
    show(detail, h('div', { class: 'bar' }, pill(name, color), h('span', { class: 'mono dim' }, time(event.at_ms))),
      h('div', { class: 'scroll' }, h('pre', {}, content),
        event.row && h('div', { class: 'bar' }, h('span', { class: 'dim' }, 'Row'), rowLink(event.row, event.place), h('span', { class: 'mono dim' }, event.place ?? '')),
        event.kind === 'note' && event.what.code && h('div', { class: 'pad' }, h('b', {}, event.what.code))));
    if (event.kind !== 'frame-in' || !event.row) return;
    const explained = await post(`/explain?profile=${encodeURIComponent(profile)}`, event.what).catch((error) => error.message);
    if (row.getAttribute('aria-selected')) {
      detail.lastElementChild.append(h('div', { class: 'bar' }, h('h2', {}, 'Explanation')), h('pre', { class: 'explained' }, explained));
    }
  }

  async function follow() {
    const answer = await request(`/sessions/${id}/live`, { signal: abort.signal });
    if (!answer.ok) throw new Error((await answer.text()).trim());
    streamState.textContent = 'following';
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const parts = (rest + value).split('\n\n');
      rest = parts.pop();
      for (const part of parts) {
        const kind = /^event: (.*)$/m.exec(part)?.[1];
        const data = /^data: (.*)$/m.exec(part)?.[1];
        if (!data) continue;
        const event = JSON.parse(data);
        if (kind === 'record') put(event);
        else {
          put({ at_ms: Date.now(), kind: 'end', what: event.reason });
          streamState.textContent = event.reason;
          announce(event.reason);
        }
      }
    }
  }

  follow().catch((error) => {
    if (error.name !== 'AbortError') streamState.textContent = error.message;
  });
  let failed = false;
  const stop = every(1500, async () => {
    if (failed) return;
    await load().catch(() => { failed = true; });
  });
  return () => {
    stop();
    abort.abort();
  };
}

// ---------- migration

const PARTS = [['exact', 'exact', 'm-exact'], ['emulated', 'emulated', 'm-emulated'], ['client_side', 'by the SDK', 'm-client'],
  ['inexact', 'inexact', 'm-inexact'], ['refused', 'refused', 'm-refused']];

function migration() {
  const groups = table(['App', 'Profile', 'Version', { name: 'Logins', num: true }, { name: 'Calls', num: true }, 'Exactness',
    { name: 'Inexact', num: true }, { name: 'Refused', num: true }, { name: 'Events', num: true }, { name: 'Last login', num: true }],
  { 'aria-label': 'Usage by kind of client' });
  const findings = table(['Code', { name: 'Count', num: true }, 'Whom', 'Used by', 'Cause', 'What an app can do'], { 'aria-label': 'Inexact translations' });
  const nothing = empty('No client has logged in since the start');
  const exact = empty('Nothing inexact since the start');
  add(main, [
    bar('Migration', h('span', { class: 'dim' }, 'since the start of the sidecar'), h('span', { class: 'grow' }),
      h('div', { class: 'legend' }, PARTS.map(([, name, color]) => h('span', {}, h('i', { class: color }), name)))),
    card(h('div', { class: 'scroll' }, groups.element), nothing),
    bar('What is inexact, and for whom'),
    card(h('div', { class: 'scroll' }, findings.element), exact),
  ]);
  async function load() {
    const answer = await get('/usage');
    const list = answer.groups.sort((a, b) => b.summary.calls - a.summary.calls);
    nothing.hidden = list.length > 0;
    show(groups.body, list.map((group) => {
      const sum = group.summary;
      const label = PARTS.map(([key, name]) => `${name} ${sum[key]}`).join(', ');
      const meter = h('div', { class: 'meter', role: 'img', 'aria-label': label, title: label });
      for (const [key, , color] of PARTS) {
        if (!sum[key]) continue;
        const part = h('i', { class: color });
        part.style.width = `${(100 * sum[key]) / Math.max(1, sum.calls)}%`;
        meter.append(part);
      }
      return h('tr', {}, h('td', { class: 'mono cut' }, group.app), h('td', {}, group.profile), h('td', { class: 'mono' }, group.build || '–'),
        h('td', { class: 'num' }, number(sum.sessions)), h('td', { class: 'num' }, number(sum.calls)), h('td', {}, meter),
        h('td', { class: 'num' }, number(sum.inexact)), h('td', { class: 'num' }, number(sum.refused)), h('td', { class: 'num' }, number(group.events)),
        h('td', { class: 'num dim' }, `${age(answer.now_ms - group.last_login_ms)} ago`));
    }));
    const codes = new Map();
    for (const group of list) {
      for (const finding of group.look_at_first) {
        const known = codes.get(finding.code) ?? { ...finding, count: 0, whom: new Set(), names: new Set() };
        known.count += finding.count;
        known.whom.add([group.app, group.profile, group.build].filter(Boolean).join(' · '));
        finding.used_by.forEach((name) => known.names.add(name));
        codes.set(finding.code, known);
      }
    }
    exact.hidden = codes.size > 0;
    show(findings.body, [...codes.values()].sort((a, b) => a.always - b.always || b.count - a.count).map((finding) => h('tr', {},
      h('td', {}, pill(finding.code, finding.always ? '' : 'warn')), h('td', { class: 'num' }, number(finding.count)),
      h('td', { class: 'wrap' }, [...finding.whom].join('; ')), h('td', { class: 'wrap mono' }, [...finding.names].join(', ')),
      h('td', { class: 'wrap' }, finding.cause), h('td', { class: 'wrap' }, finding.workaround))));
  }
  return every(3000, load);
}

// ---------- tables

const STATUS = { direct: 'ok', emulated: 'info', 'client-side': '', internal: '', refused: 'bad' };

function tables(wanted) {
  const search = h('input', { type: 'search', placeholder: 'any name, row or code', 'aria-label': 'Search the tables', value: wanted ?? '', oninput: draw });
  const count = h('span', { class: 'dim', role: 'status' });
  const holder = h('div', { class: 'scroll' });
  const detail = h('div', { class: 'card detail' }, empty('Select an entry'));
  let all = null;
  add(main, [bar('Tables', search, h('span', { class: 'grow' }), count), h('div', { class: 'split' }, h('div', { class: 'card fill' }, holder), detail)]);
  get('/tables').then((answer) => {
    all = answer;
    draw();
    const entry = all.entries.find((entry) => entry.id === wanted) ?? all.entries.find((entry) => wanted.startsWith(entry.id));
    if (wanted) select(entry ?? { id: wanted, names: [], cells: {}, codes: [] });
  }).catch(failed);

  function draw() {
    if (!all) return;
    const needle = search.value.trim().toLowerCase();
    const found = all.entries.filter((entry) => [entry.id, ...entry.names, ...entry.codes].some((text) => text.toLowerCase().includes(needle)));
    count.textContent = `${found.length} of ${all.entries.length} entries`;
    const list = table(['Entry', 'Signaling', ...all.platforms, 'Codes'], { class: 'matrix', 'aria-label': 'Conformance matrix' });
    show(list.body, found.map((entry) => {
      const keys = (event) => { if (event.key === 'Enter') select(entry, row); };
      const row = h('tr', { tabindex: 0, 'data-entry': entry.id, onclick: () => select(entry, row), onkeydown: keys },
        h('td', { class: 'mono' }, entry.id), h('td', { class: 'cut', title: entry.names.join(', ') }, entry.names.join(', ')),
        all.platforms.map((platform) => h('td', {}, entry.cells[platform] ? pill(entry.cells[platform], `plain ${STATUS[entry.cells[platform]] ?? ''}`) : h('span', { class: 'dim' }, '–'))),
        h('td', {}, entry.codes.map((code) => [pill(code, 'warn plain'), ' '])));
      return row;
    }));
    show(holder, list.element);
  }

  function select(entry, row) {
    for (const other of holder.querySelectorAll('[aria-selected]')) other.removeAttribute('aria-selected');
    (row ?? [...holder.querySelectorAll('tr')].find((row) => row.dataset.entry === entry.id))?.setAttribute('aria-selected', 'true');
    const rows = all.rows.filter((row) => row.id === entry.id || row.id.startsWith(`${entry.id}/`));
    const codes = [...new Set([...entry.codes, ...rows.flatMap((row) => row.codes)])];
    const fact = (name, value) => h('div', {}, h('dt', {}, name), h('dd', {}, value));
    show(detail, h('div', { class: 'bar' }, h('h2', { class: 'mono' }, entry.id)), h('div', { class: 'scroll' },
      rows.map((row) => h('dl', { class: 'facts' }, fact('Row', h('span', { class: 'mono' }, row.id)), fact('Place', h('span', { class: 'mono' }, row.place)),
        fact('Status', row.status), row.emulation && fact('Emulation', row.emulation), fact('Source', row.source))),
      codes.map((code) => h('div', { class: 'pad' }, pill(code, 'warn'), h('p', {}, all.codes[code]?.cause ?? ''),
        h('p', { class: 'dim' }, all.codes[code]?.workaround ?? '')))));
  }
}

// ---------- recordings

function recordings() {
  const account = h('input', { placeholder: 'all accounts', 'aria-label': 'Account' });
  const app = h('input', { placeholder: 'all apps', 'aria-label': 'App ID' });
  const start = h('button', { class: 'primary', onclick: () => act(`/record/start?${new URLSearchParams({ account: account.value.trim(), app: app.value.trim() })}`) }, 'Start');
  const stop = h('button', { onclick: () => act('/record/stop') }, 'Stop');
  const mark = h('span');
  const note = h('p', { class: 'dim pad' });
  const list = table(['File', { name: 'Size', num: true }, 'Last write', 'State', h('span', { class: 'sr' }, 'Actions')], { 'aria-label': 'Recorded files' });
  const nothing = empty('No recorded files');
  add(main, [bar('Recordings', mark, h('span', { class: 'grow' }), account, app, start, stop), card(note), card(h('div', { class: 'scroll' }, list.element), nothing)]);
  async function act(path) {
    const result = await post(path).catch((error) => error.message);
    announce(result);
    await load().catch(failed);
    note.textContent = `${result}. ${note.textContent}`;
  }
  async function load() {
    const answer = await get('/recordings');
    const who = [answer.account && `account ${answer.account}`, answer.app && `app ${answer.app}`].filter(Boolean).join(', ');
    show(mark, answer.recording ? pill(`recording ${who || 'all new sessions'}`, 'bad') : pill('not recording'));
    start.disabled = !answer.folder;
    stop.disabled = !answer.recording;
    note.textContent = answer.folder
      ? `Sessions that begin from now on are recorded. Names: ${answer.names}; messages and values: ${answer.bodies}; tokens are never recorded.`
      : 'Set [record] folder in the config to record sessions.';
    nothing.hidden = answer.files.length > 0;
    show(list.body, answer.files.map((file) => h('tr', {}, h('td', { class: 'mono' }, file.name), h('td', { class: 'num' }, size(file.bytes)),
      h('td', { class: 'dim' }, new Date(file.written_ms).toLocaleString('en-GB')), h('td', {}, file.complete ? pill('complete', 'ok') : pill('being written', 'warn')),
      h('td', { class: 'actions' }, h('button', { class: 'small', onclick: () => download(file.name), 'aria-label': `Download ${file.name}` }, 'Download')))));
  }
  return every(2000, load);
}

async function download(name) {
  const answer = await request(`/recordings/${name}`);
  const url = URL.createObjectURL(await answer.blob());
  const link = h('a', { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

// ---------- nodes

function nodes() {
  const holder = h('div');
  const own = h('span', { class: 'dim' });
  add(main, [bar('Nodes', h('span', { class: 'dim' }, 'sidecars that share a Redis'), h('span', { class: 'grow' }), own), holder]);
  return every(2000, async () => {
    state = await get('/status');
    if (!state.redis) return show(holder, card(empty('No app of this sidecar has its RTM on Redis.')));
    own.textContent = `this sidecar: ${number(state.redis.users)} users, lag ${Math.round(state.redis.lag_seconds * 1000)} ms`;
    const answer = await get('/nodes');
    show(holder, Object.entries(answer.apps).map(([app, list]) => {
      const shown = table(['Sidecar', { name: 'Lease', num: true }], { 'aria-label': `Sidecars of ${app}` });
      show(shown.body, list.map((node) => h('tr', {}, h('td', { class: 'mono' }, node.node), h('td', { class: 'num' }, `${(node.lease_ms / 1000).toFixed(1)} s`))));
      return card(h('div', { class: 'bar' }, h('h2', { class: 'mono' }, app)), shown.element);
    }));
  });
}

// ---------- doctor

function doctor() {
  const app = h('input', { placeholder: 'App ID', 'aria-label': 'App ID' });
  const run = h('button', { class: 'primary', onclick: examine }, 'Run');
  const steps = h('ol', { class: 'steps', 'aria-label': 'Steps' });
  add(main, [bar('Doctor', h('span', { class: 'dim' }, 'the way to RTM, step by step'), h('span', { class: 'grow' }), app, run),
    card(steps)]);
  show(steps, h('li', {}, h('span', { class: 'dim' }, 'not run')));
  async function examine() {
    run.disabled = true;
    show(steps, h('li', {}, h('span', { class: 'dim' }, 'runs …')));
    try {
      const query = app.value.trim() ? `?app=${encodeURIComponent(app.value.trim())}` : '';
      const found = JSON.parse(await post(`/doctor${query}`));
      show(steps, found.map((step) => h('li', {}, pill(step.ok ? 'ok' : 'failed', step.ok ? 'ok' : 'bad'), h('b', {}, step.step), h('span', {}, step.found),
        step.hint && h('small', {}, step.hint))));
      announce(found.every((step) => step.ok) ? 'All steps succeeded' : 'A step failed');
    } catch (error) {
      show(steps, h('li', {}, pill('failed', 'bad'), h('span', {}, error.message)));
    }
    run.disabled = false;
  }
}

// ---------- start

const nav = document.getElementById('nav');
for (const name of Object.keys(views)) nav.append(h('a', { href: `#/${name}`, 'data-view': name }, titles[name]));
addEventListener('hashchange', () => {
  route();
  main.focus();
});
addEventListener('keydown', (event) => {
  const typing = ['INPUT', 'SELECT', 'TEXTAREA'].includes(document.activeElement?.tagName);
  if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey) {
    main.querySelector('input[type=search]')?.focus();
    event.preventDefault();
  }
});
every(2000, status);
route();
