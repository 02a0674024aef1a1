// Objects with the names and shapes that the vendor documents. They follow the script of a test, and record their calls.

import { EventEmitter } from 'node:events';

/** An error as the SDK makes them. */
export function sdkError(code) {
  return Object.assign(new Error('the text is the SDK\'s own'), { name: 'RtmInvalidStatusError', code });
}

/** Something whose methods are noted in `calls` and answer what stands in `answers`: a value, or an error to reject with. */
class Noting extends EventEmitter {
  calls = [];
  answers = {};

  note(method, ...args) {
    this.calls.push([method, ...args]);
    const answer = this.answers[method];
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  }
}

function noting(type, methods) {
  for (const method of methods) {
    type.prototype[method] = function noted(...args) {
      return this.note(method, ...args);
    };
  }
}

class FakeChannel extends Noting {
  constructor(channelId) {
    super();
    this.channelId = channelId;
  }
}
noting(FakeChannel, ['join', 'leave', 'sendMessage', 'getMembers']);

class FakeInvitation extends EventEmitter {
  calls = [];
  content = '';
  response = '';
  channelId = '';

  constructor(fields) {
    super();
    Object.assign(this, fields);
  }

  call(method) {
    this.calls.push(method);
    if (this.throws) throw this.throws;
    this.whenCalled?.(method);
  }

  send = () => this.call('send');
  cancel = () => this.call('cancel');
  accept = () => this.call('accept');
  refuse = () => this.call('refuse');
}

class FakeClient extends Noting {
  channels = [];
  invitations = [];

  createChannel(channelId) {
    if (channelId === '') throw sdkError(1);
    this.channels.push(new FakeChannel(channelId));
    return this.channels.at(-1);
  }

  createLocalInvitation(calleeId) {
    if (calleeId === '') throw sdkError(1);
    this.invitations.push(new FakeInvitation({ calleeId }));
    return this.invitations.at(-1);
  }

  async login(options) {
    await this.note('login', options);
    this.connect('CONNECTED', 'LOGIN_SUCCESS');
  }

  async logout() {
    await this.note('logout');
    this.connect('DISCONNECTED', 'LOGOUT');
  }

  connect(state, reason) {
    this.emit('ConnectionStateChanged', state, reason);
  }

  text(peerId, text) {
    this.emit('MessageFromPeer', { messageType: 'TEXT', text }, peerId, { serverReceivedTs: 5 });
  }

  invite(fields) {
    this.invitations.push(new FakeInvitation(fields));
    this.emit('RemoteInvitationReceived', this.invitations.at(-1));
    return this.invitations.at(-1);
  }
}
noting(FakeClient, [
  'renewToken',
  'sendMessageToPeer',
  'queryPeersOnlineStatus',
  'subscribePeersOnlineStatus',
  'unsubscribePeersOnlineStatus',
  'queryPeersBySubscriptionOption',
  'setLocalUserAttributes',
  'addOrUpdateLocalUserAttributes',
  'deleteLocalUserAttributesByKeys',
  'clearLocalUserAttributes',
  'getUserAttributes',
  'getUserAttributesByKeys',
  'getChannelMemberCount',
  'setChannelAttributes',
  'addOrUpdateChannelAttributes',
  'deleteChannelAttributesByKeys',
  'clearChannelAttributes',
  'getChannelAttributes',
  'getChannelAttributesByKeys',
]);

export class FakeSdk {
  VERSION = '1.5.1';
  LOG_FILTER_OFF = 'off';
  LOG_FILTER_WARNING = 'warnings';
  clients = [];
  created = [];

  createInstance(...args) {
    if (args[0].length !== 32) throw sdkError(1);
    this.created.push(args);
    this.clients.push(new FakeClient());
    return this.clients.at(-1);
  }
}
