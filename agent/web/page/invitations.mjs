// Invitations: the link has numbers where the SDK has objects.

import { rtmError } from './errors.mjs';
import { listen, OF_LOCAL_INVITATION, OF_REMOTE_INVITATION } from './events.mjs';
import { wellFormed } from './values.mjs';

/** Ended invitations that are remembered, so that the SDK itself can refuse calls on them. */
const ENDED = 256;
/** Incoming invitations are numbered from here on, out of the way of the driver's numbers. */
const FIRST_INCOMING = 2 ** 32;
const NOT_STARTED = 2;

export class Invitations {
  #client;
  #emit;
  #local = new Map();
  #remote = new Map();
  #ended = [];
  #next = FIRST_INCOMING;
  #held;

  constructor(client, emit) {
    this.#client = client;
    this.#emit = emit;
    client.on('RemoteInvitationReceived', (object) => this.#receive(object));
  }

  send({ invitation, calleeId, channelId, content }) {
    const known = this.#local.get(invitation);
    const object = known ?? this.#create(invitation, calleeId);
    if (!known) {
      if (content) object.content = content;
      // Without a channel no legacy client of RTM's own gateway would see it.
      if (channelId) object.channelId = channelId;
    }
    try {
      this.#calling(() => object.send());
    } catch (error) {
      // It was never sent, so its number is free.
      if (!known) this.#local.delete(invitation);
      throw error;
    }
  }

  cancel({ invitation, content }) {
    const object = this.#find(this.#local, invitation);
    if (content !== undefined) object.content = content;
    this.#calling(() => object.cancel());
  }

  /** @param {'accept' | 'refuse'} how */
  answer(how, { invitation, response }) {
    const object = this.#find(this.#remote, invitation);
    if (response !== undefined) object.response = response;
    this.#calling(() => object[how]());
  }

  /** Emits the events that the SDK raised during a call: they must follow the answer to the call. */
  release() {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const event of held) this.#emit(...event);
  }

  /** Forgets all; their events are ignored. */
  clear() {
    for (const object of [...this.#local.values(), ...this.#remote.values()]) object.removeAllListeners();
    this.#local.clear();
    this.#remote.clear();
    this.#ended = [];
    this.#held = undefined;
  }

  #calling(call) {
    this.#held ??= [];
    call();
  }

  #create(invitation, calleeId) {
    const object = this.#client.createLocalInvitation(calleeId);
    this.#local.set(invitation, object);
    listen(object, OF_LOCAL_INVITATION, (name, params) => {
      const { channelId, content, response } = object;
      this.#emitEvent(name, { invitation, calleeId, ...fields(channelId, content, response) }, params);
      if (name !== 'LocalInvitationReceivedByPeer') this.#end(this.#local, invitation);
    });
    return object;
  }

  #receive(object) {
    const invitation = this.#next;
    this.#next += 1;
    this.#remote.set(invitation, object);
    const { callerId, channelId, content } = object;
    const shown = () => ({ invitation, callerId, ...fields(channelId, content, object.response) });
    listen(object, OF_REMOTE_INVITATION, (name, params) => {
      this.#emitEvent(name, shown(), params);
      this.#end(this.#remote, invitation);
    });
    this.#emit('RemoteInvitationReceived', { invitation: shown() });
  }

  #emitEvent(name, invitation, params) {
    const event = [name, { invitation, ...params }];
    if (this.#held) this.#held.push(event);
    else this.#emit(...event);
  }

  #end(map, invitation) {
    this.#ended.push([map, invitation]);
    if (this.#ended.length <= ENDED) return;
    const [oldMap, oldest] = this.#ended.shift();
    oldMap.get(oldest)?.removeAllListeners();
    oldMap.delete(oldest);
  }

  #find(map, invitation) {
    const object = map.get(invitation);
    if (!object) throw rtmError('INVITATION_API_CALL', NOT_STARTED);
    return object;
  }
}

function fields(channelId, content, response) {
  return { channelId: channelId || null, content: wellFormed(content ?? ''), response: wellFormed(response ?? '') };
}
