/** Answers from memory, as far as the client's conditions and range allow. */
import { formatContentRange, resolveRange } from '../../../core/byte-range.ts';
import { noteFirstByte, type ClientCall } from '../client-call.ts';
import { flat, withoutChecksumsOf } from '../proof/answer-header.ts';
import { judgePreconditions } from '../proof/preconditions.ts';
import type { SmallAnswer } from '../proof/small-answers.ts';
import { rangeDemand } from '../wire/range-answer.ts';
import type { TaskAnswers } from './task-answers.ts';

export function sendSmall(
  call: ClientCall,
  { statusCode, statusMessage, header, body, freshness }: SmallAnswer,
  tasks: Pick<TaskAnswers, 'notModified'>,
): void {
  const { response, record, request } = call;
  const judgement = statusCode === 200 ? judgePreconditions(call.header, flat(header)) : 'go';
  const { serverIp } = call;
  const age = String(freshness.ageSeconds);
  const answer = { ...header, age, ...(serverIp !== undefined && { 'x-dragonfly-server-ip': serverIp }) };
  record.way = 'cache';
  if (judgement === 'notModified') return tasks.notModified(call, answer);
  noteFirstByte(record);
  if (judgement === 'failed') {
    response.writeHead(412, { 'content-length': 0 });
    return void response.end();
  }
  const demand = statusCode === 200 && judgement === 'go' ? rangeDemand(call.header['range']) : undefined;
  const part = demand?.kind === 'one' ? resolveRange(demand.spec, body.length) : undefined;
  if (demand?.kind === 'one' && !part) {
    response.writeHead(416, { 'content-range': `bytes */${body.length}`, 'content-length': 0 });
    return void response.end();
  }
  if (request.httpVersionMajor === 1) response.statusMessage = statusMessage;
  const sent = part ? body.subarray(part.start, part.start + part.length) : body;
  const place = part
    ? { ...withoutChecksumsOf(answer), 'content-range': formatContentRange(part, body.length) }
    : answer;
  record.bytes = sent.length;
  const sized = statusCode === 204 ? {} : { 'content-length': String(sent.length) };
  if (part && request.httpVersionMajor === 1) response.statusMessage = '';
  response.writeHead(part ? 206 : statusCode, { ...place, ...sized });
  response.end(sent);
}
