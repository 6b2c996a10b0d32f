/** Where members find this manager, and whether they need a join token. */
import { useQuery } from '@tanstack/react-query';
import { serviceQuery } from '../session/session-query.ts';

interface ManagerAddress {
  /** host:port of its gRPC. */
  readonly address: string;
  readonly certificates: boolean;
}

export function useManagerAddress(): ManagerAddress {
  const { data } = useQuery(serviceQuery);
  return {
    address: data?.addresses.grpc ?? `${window.location.hostname}:65003`,
    certificates: data?.certificates === true,
  };
}
