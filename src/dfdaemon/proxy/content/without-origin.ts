/** What a caller may have while the origin cannot be asked: an object that was proven to be this caller's, and is stored here. */
import type { DownloadRequest } from '../../task/open-task.ts';
import { noteFirstByte, type ClientCall } from '../client-call.ts';
import { aboutContent, flat, type AnswerHeader } from '../proof/answer-header.ts';
import { callerOf } from '../proof/caller.ts';
import type { KnownObject, KnownObjects } from '../proof/known-objects.ts';
import type { OriginAccess } from '../proof/origin-access.ts';
import { judgePreconditions } from '../proof/preconditions.ts';
import type { Representation } from '../proof/representation.ts';
import { variantOf } from '../proof/variant.ts';
import type { TaskAnswers, TaskOpener } from './task-answers.ts';

interface Parts {
  readonly access: OriginAccess;
  readonly engine: TaskOpener;
  readonly known: KnownObjects;
}

/** What a proof is about. */
export function objectQuestion(
  call: ClientCall,
  taskId: string,
  { validator, lengthBytes }: Representation,
): { readonly scope: string; readonly object: string; readonly caller: string } {
  return { scope: call.url.origin, object: [taskId, validator, lengthBytes].join('\n'), caller: callerOf(call) };
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
      ({ representation, freshness }) =>
        freshness?.mayBeUsedStale !== false && access.servesWithoutOrigin(objectQuestion(call, taskId, representation)),
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
