import type { Server } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { fileDescriptors } from './generated/descriptors.ts';

type PackageDefinition = ConstructorParameters<typeof ReflectionService>[0];

/** Lets tools such as grpcurl ask the server what it offers. */
export function addReflection(server: Server, services: readonly string[]): void {
  const fileDescriptorProtos = fileDescriptors.map((text) => Buffer.from(text, 'base64'));
  // The service reads nothing of a package definition but these descriptors.
  const definition = { api: { fileDescriptorProtos } } as unknown as PackageDefinition;
  new ReflectionService(definition, { services: [...services] }).addToServer(server);
}
