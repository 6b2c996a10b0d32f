/** What a caller may have while the origin cannot be asked: an object that was proven to be this caller's, and is stored here. */
import type { DownloadRequest } from '../../task/open-task.ts';
import { noteFirstByte, type ClientCall } from '../client-call.ts';
import { aboutContent, flat, type AnswerHeader } from '../proof/answer-header.ts';
import { callerOf } from '../proof/caller.ts';
import type { KnownObject, KnownObjects } from '../proof/known-objects.ts';
import type { AccessQuestion, OriginAccess } from '../proof/origin-access.ts';
import { judgePreconditions } from '../proof/preconditions.ts';
import { variantOf } from '../proof/variant.ts';
import type { TaskAnswers, TaskOpener } from './task-answers.ts';

interface Parts {
  readonly access: OriginAccess;
  readonly engine: TaskOpener;
  readonly known: KnownObjects;
}

/**
 * What a proof is about. Each choice by request fields is an object of its own: the origin may give all of them the
 * same validator, and one of them to everybody.
 */
export function objectQuestion(
  call: ClientCall,
  taskId: string,
  { representation: { validator, lengthBytes }, header }: Pick<KnownObject, 'representation' | 'header'>,
): AccessQuestion {
  const variant = variantOf(flat(header)['vary'], call.header);
  const object = [taskId, validator, lengthBytes, ...(variant === '' ? [] : [variant])].join('\n');
  return { scope: call.url.origin, object, caller: callerOf(call) };
}

export function heldObject(
  call: ClientCall,
  request: DownloadRequest,
  { access, engine, known }: Parts,
): KnownObject | undefined {
  const taskId = engine.taskIdOf(request);
  const object = known
    .of(request)
    .find(
      (each) =>
        each.freshness?.mayBeUsedStale !== false && access.servesWithoutOrigin(objectQuestion(call, taskId, each)),
    );
  const variant = object && variantOf(flat(object.header)['vary'], call.header);
  const isHeld =
    object &&
    known
      .identities(request, object.representation, variant ?? '')
      .some((identity) => engine.headOf(engine.taskIdOf(identity)));
  if (isHeld !== true) return undefined;
  const isOwn = object.toldTo === callerOf(call); // what another caller was told may be about him
  return isOwn ? object : { ...object, header: aboutContent(object.header) };
}

/** Answers HEAD as the origin would. False when a condition of the client is one that the origin itself has to judge. */
export function describeObject(call: ClientCall, { header, representation }: KnownObject, tasks: TaskAnswers): boolean {
  const judgement = judgePreconditions(call.header, flat(header));
  if (judgement === 'failed') return false;
  if (judgement === 'notModified') tasks.notModified(call, header);
  else {
    const length: AnswerHeader = { 'content-length': String(representation.lengthBytes) };
    call.response.writeHead(200, { ...header, 'accept-ranges': 'bytes', ...length });
    noteFirstByte(call.record);
    call.response.end();
  }
  return true;
}
