// The events: the Web SDK's names, and what their arguments are on the link.

import { fromSdkMessage, wellFormed } from './values.mjs';

/** Events of a client. Each converts arguments to parameters; undefined for an event that the link does not have. */
export const OF_CLIENT = {
  ConnectionStateChanged: (state, reason) => ({ state, reason }),
  MessageFromPeer: (message, peerId, { serverReceivedTs, isOfflineMessage } = {}) =>
    withMessage(message, { peerId, serverReceivedTs: whole(serverReceivedTs), isOfflineMessage: isOfflineMessage ?? false }),
  TokenExpired: () => ({}),
  TokenPrivilegeWillExpire: () => ({}),
  PeersOnlineStatusChanged: (status) => ({ status: { ...status } }),
};

/** Of a channel; its id is added. */
export const OF_CHANNEL = {
  MemberJoined: (memberId) => ({ memberId }),
  MemberLeft: (memberId) => ({ memberId }),
  MemberCountUpdated: (memberCount) => ({ memberCount: whole(memberCount) }),
  ChannelMessage: (message, memberId, { serverReceivedTs } = {}) =>
    withMessage(message, { memberId, serverReceivedTs: whole(serverReceivedTs) }),
  AttributesUpdated: (attributes) => ({ attributes: { ...attributes } }),
};

/** Of an outgoing invitation; itself is added. */
export const OF_LOCAL_INVITATION = {
  LocalInvitationReceivedByPeer: () => ({}),
  LocalInvitationAccepted: (response) => ({ response: wellFormed(response ?? '') }),
  LocalInvitationRefused: (response) => ({ response: wellFormed(response ?? '') }),
  LocalInvitationCanceled: () => ({}),
  LocalInvitationFailure: (reason) => ({ reason }),
};

/** Of an incoming invitation; itself is added. */
export const OF_REMOTE_INVITATION = {
  RemoteInvitationAccepted: () => ({}),
  RemoteInvitationRefused: () => ({}),
  RemoteInvitationCanceled: (content) => ({ content: wellFormed(content ?? '') }),
  RemoteInvitationFailure: (reason) => ({ reason }),
};

/**
 * Passes an object's events on.
 *
 * @param {object} object a client, channel or invitation of the SDK
 * @param {Record<string, Function>} events one of the tables above
 * @param {(name: string, params: object) => void} emit
 */
export function listen(object, events, emit) {
  for (const [name, read] of Object.entries(events)) {
    object.on(name, (...args) => {
      const params = read(...args);
      if (params) emit(name, params);
    });
  }
}

function withMessage(message, params) {
  const read = fromSdkMessage(message);
  return read && { ...params, message: read };
}

function whole(number) {
  return Number.isSafeInteger(number) && number >= 0 ? number : 0;
}
