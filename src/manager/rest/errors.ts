/**
 * Errors in the API's form: 422 `{errors}` for schema violations, `{message}` for everything else. The original's
 * console only shows a message, so 422 has both.
 */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';

export function errorHandler(logger: Logger, realm: string) {
  return (error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    if (hasZodFastifySchemaValidationErrors(error)) {
      const problems = error.validation.map(
        ({ instancePath, message }) => `${instancePath.slice(1).replaceAll('/', '.') || 'body'}: ${message}`,
      );
      return reply.code(422).send(invalid(problems.join('; ')));
    }
    if (error instanceof DragonflyError) return send(error, request, reply);
    const status = (error as FastifyError).statusCode;
    // Fastify's own errors: malformed or oversized bodies, wrong media types, too many requests.
    if (status === 429) return reply.code(429).type('text/plain').send('rate limit exceeded');
    if (status !== undefined && status >= 400 && status < 500) {
      return status === 400
        ? reply.code(422).send(invalid(error.message))
        : reply.code(status).send({ message: error.message });
    }
    if (isUnstorable(error)) return reply.code(422).send(invalid('a value cannot be stored'));
    return send(toDragonflyError(error), request, reply);
  };

  function send(error: DragonflyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const { http } = error.mapping;
    if (http >= 500)
      logger.error({ method: request.method, route: request.routeOptions.url, err: error }, 'request failed');
    if (http === 401) void reply.header('www-authenticate', `JWT realm=${realm}`);
    // Internal errors are for the log, not for the caller.
    const message = error.code === 'INTERNAL' ? 'internal error' : error.message;
    return reply
      .code(http)
      .send({ message, ...(error.hint === undefined || error.code === 'INTERNAL' ? {} : { hint: error.hint }) });
  }
}

function invalid(errors: string): { readonly errors: string; readonly message: string } {
  return { errors, message: errors };
}

/** PostgreSQL's data exceptions (class 22, such as a zero byte in a text) and those of MySQL. */
function isUnstorable(error: unknown): boolean {
  const { code = '' } = error as { code?: string };
  return (
    /^22\w{3}$/.test(code) ||
    ['ER_DATA_TOO_LONG', 'ER_TRUNCATED_WRONG_VALUE_FOR_FIELD', 'ER_WARN_DATA_OUT_OF_RANGE'].includes(code)
  );
}
