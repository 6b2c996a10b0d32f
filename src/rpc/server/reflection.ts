/** Lets tools such as grpcurl query the services of the server. */
import { createRequire } from 'node:module';
import {
  status,
  type MethodDefinition,
  type Server,
  type ServerDuplexStream,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import type * as Reflection from '@grpc/reflection';
import type * as Descriptors from '../../../gen/descriptors.ts';
import { maxReflections } from '../limits.ts';

type PackageDefinition = ConstructorParameters<typeof Reflection.ReflectionService>[0];
type Handle = (stream: ServerDuplexStream<unknown, unknown>) => void;

interface Answerer {
  readonly method: MethodDefinition<unknown, unknown>;
  readonly handle: Handle;
}

const paths = ['v1', 'v1alpha'].map((version) => `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`);

/** The library is loaded with the first query, since it contains a compiler and takes 12 MiB. */
export function addReflection(server: Server, services: readonly string[]): void {
  let loaded: Map<string, Answerer> | undefined;
  const open = new Set<unknown>();
  const answerer = (path: string): Answerer => {
    loaded ??= loadAnswerers(services);
    const found = loaded.get(path);
    if (!found) throw new Error(`the library for reflection does not answer ${path}`);
    return found;
  };
  for (const path of paths) {
    const method: MethodDefinition<unknown, unknown> = {
      path,
      requestStream: true,
      responseStream: true,
      requestSerialize: (message) => answerer(path).method.requestSerialize(message),
      requestDeserialize: (bytes) => answerer(path).method.requestDeserialize(bytes),
      responseSerialize: (message) => answerer(path).method.responseSerialize(message),
      responseDeserialize: (bytes) => answerer(path).method.responseDeserialize(bytes),
    };
    const handle: Handle = (stream) => {
      if (open.size >= maxReflections) {
        stream.emit('error', { code: status.RESOURCE_EXHAUSTED, details: 'too many questions at once' });
        return;
      }
      open.add(stream);
      for (const end of ['close', 'finish', 'cancelled', 'error']) stream.once(end, () => open.delete(stream));
      answerer(path).handle(stream);
    };
    server.addService({ ServerReflectionInfo: method }, { ServerReflectionInfo: handle });
  }
}

function loadAnswerers(services: readonly string[]): Map<string, Answerer> {
  const require = createRequire(import.meta.url);
  const { ReflectionService } = require('@grpc/reflection') as typeof Reflection;
  const { fileDescriptors } = require('../../../gen/descriptors.ts') as typeof Descriptors;
  const fileDescriptorProtos = fileDescriptors.map((text) => Buffer.from(text, 'base64'));
  // The service only reads these descriptors of a package definition.
  const definition = { api: { fileDescriptorProtos } } as unknown as PackageDefinition;
  const found = new Map<string, Answerer>();
  const taking = {
    addService({ ServerReflectionInfo: method }: ServiceDefinition, implementation: { ServerReflectionInfo: Handle }) {
      if (method) found.set(method.path, { method, handle: implementation.ServerReflectionInfo });
    },
  };
  new ReflectionService(definition, { services: [...services] }).addToServer(taking);
  return found;
}
