/** Written by scripts/generate-console-api.ts from the manager’s OpenAPI document; do not edit. */
export interface paths {
  '/api/v1/users/signin': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** Sign in */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          name: string;
          password: string;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Session'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/users/signout': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** Sign out */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/users/refresh_token': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** A new session for the old one */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Session'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/users/signup': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** Create a guest account */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          email: string;
          phone?: string | undefined;
          avatar?: string | undefined;
          location?: string | undefined;
          bio?: string | undefined;
          name: string;
          password: string;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['User'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/users': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** List users */
    get: {
      parameters: {
        query?: {
          page?: number | undefined;
          per_page?: number | undefined;
          search?: string | undefined;
          name?: string | undefined;
          email?: string | undefined;
          location?: string | undefined;
          state?: "enable" | "disable" | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['User'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    /** Create a guest account for somebody */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          email?: string | "" | undefined;
          phone?: string | undefined;
          avatar?: string | undefined;
          location?: string | undefined;
          bio?: string | undefined;
          name: string;
          password: string;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['User'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/users/{id}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** One user */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['User'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    /** Delete a user */
    delete: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    /** Change a user */
    patch: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          email?: string | "" | undefined;
          phone?: string | undefined;
          avatar?: string | undefined;
          location?: string | undefined;
          bio?: string | undefined;
          state?: "enable" | "disable" | undefined;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['User'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
  };
  '/api/v1/users/{id}/reset_password': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** Change a password; every session of the user ends */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          old_password: string;
          new_password: string;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/users/{id}/roles': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Roles of a user */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': string[] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/users/{id}/roles/{role}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    /** Give a role */
    put: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
          role: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    post?: never;
    /** Take a role */
    delete: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
          role: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    patch?: never;
  };
  '/api/v1/roles': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** List roles */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': string[] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    /** Create a role */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          role: string;
          permissions: components['schemas']['PermissionInput'][];
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/roles/{role}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Permissions of a role, as [role, object, action] */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          role: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': string[][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    /** Delete a role */
    delete: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          role: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    patch?: never;
  };
  '/api/v1/roles/{role}/permissions': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** Add a permission */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          role: string;
        };
        cookie?: never;
      };
      requestBody: { content: { 'application/json': components['schemas']['PermissionInput'] } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    /** Remove a permission */
    delete: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          role: string;
        };
        cookie?: never;
      };
      requestBody: { content: { 'application/json': components['schemas']['PermissionInput'] } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    patch?: never;
  };
  '/api/v1/permissions': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Every permission there is */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Permission'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/clusters': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** List clusters */
    get: {
      parameters: {
        query?: {
          page?: number | undefined;
          per_page?: number | undefined;
          search?: string | undefined;
          name?: string | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Cluster'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    /** Create a cluster */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          name: string;
          bio?: string | undefined;
          scopes?: {
            idc?: string | undefined;
            location?: string | undefined;
            cidrs?: string[] | undefined;
            hostnames?: string[] | undefined;
          } | undefined;
          scheduler_cluster_config: {
            candidate_parent_limit?: number | undefined;
            filter_parent_limit?: number | undefined;
            job_rate_limit?: number | undefined;
          };
          seed_peer_cluster_config: {
            load_limit?: number | undefined;
            block_list?: {
              task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
              } | undefined;
              persistent_task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
                upload?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                } | undefined;
              } | undefined;
              persistent_cache_task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
                upload?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                } | undefined;
              } | undefined;
            } | undefined;
          };
          peer_cluster_config: {
            load_limit?: number | undefined;
            block_list?: {
              task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
              } | undefined;
              persistent_task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
                upload?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                } | undefined;
              } | undefined;
              persistent_cache_task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
                upload?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                } | undefined;
              } | undefined;
            } | undefined;
          };
          is_default?: boolean | undefined;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Cluster'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/clusters/{id}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** One cluster */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Cluster'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    /** Delete a cluster */
    delete: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    /** Change a cluster */
    patch: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          name?: string | undefined;
          bio?: string | undefined;
          scopes?: {
            idc?: string | undefined;
            location?: string | undefined;
            cidrs?: string[] | undefined;
            hostnames?: string[] | undefined;
          } | undefined;
          scheduler_cluster_config?: {
            candidate_parent_limit?: number | undefined;
            filter_parent_limit?: number | undefined;
            job_rate_limit?: number | undefined;
          } | undefined;
          seed_peer_cluster_config?: {
            load_limit?: number | undefined;
            block_list?: {
              task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
              } | undefined;
              persistent_task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
                upload?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                } | undefined;
              } | undefined;
              persistent_cache_task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
                upload?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                } | undefined;
              } | undefined;
            } | undefined;
          } | undefined;
          peer_cluster_config?: {
            load_limit?: number | undefined;
            block_list?: {
              task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
              } | undefined;
              persistent_task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
                upload?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                } | undefined;
              } | undefined;
              persistent_cache_task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
                upload?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                } | undefined;
              } | undefined;
            } | undefined;
          } | undefined;
          is_default?: boolean | undefined;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Cluster'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
  };
  '/api/v1/jobs': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** List jobs, newest first */
    get: {
      parameters: {
        query?: {
          page?: number | undefined;
          per_page?: number | undefined;
          type?: "preheat" | "get_task" | "delete_task" | "sync_peers" | "get_image_distribution" | "gc" | undefined;
          state?: "PENDING" | "SUCCESS" | "FAILURE" | "CANCELLED" | "RECEIVED" | "STARTED" | "RETRY" | undefined;
          user_id?: number | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Job'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    /** Ask for a job */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody: { content: { 'application/json': components['schemas']['NewJobInput'] } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Job'] | components['schemas']['ImageDistribution'] | string } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/jobs/{id}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** One job, with its progress */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Job'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    /** Delete a job; a running one stops */
    delete: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    /** Change a job */
    patch: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          bio?: string | undefined;
          user_id?: number | undefined;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Job'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
  };
  '/api/v1/jobs/{id}/cancel': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** Stop a job */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Job'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/jobs/{id}/retry': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** Run what failed again */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Job'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/jobs/estimate': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** What a preheat would cost: nothing is fetched but manifests */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody: { content: { 'application/json': components['schemas']['NewPreheatEstimate'] } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['PreheatEstimate'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/scheduler-clusters': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** List scheduler clusters */
    get: {
      parameters: {
        query?: {
          page?: number | undefined;
          per_page?: number | undefined;
          search?: string | undefined;
          name?: string | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['SchedulerCluster'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    /** Create a scheduler cluster */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          name: string;
          bio?: string | undefined;
          config: {
            candidate_parent_limit?: number | undefined;
            filter_parent_limit?: number | undefined;
            job_rate_limit?: number | undefined;
          };
          client_config: {
            load_limit?: number | undefined;
            block_list?: {
              task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
              } | undefined;
              persistent_task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
                upload?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                } | undefined;
              } | undefined;
              persistent_cache_task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
                upload?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                } | undefined;
              } | undefined;
            } | undefined;
          };
          seed_client_config?: {
            load_limit?: number | undefined;
            block_list?: {
              task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
              } | undefined;
              persistent_task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
                upload?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                } | undefined;
              } | undefined;
              persistent_cache_task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
                upload?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                } | undefined;
              } | undefined;
            } | undefined;
          } | undefined;
          scopes?: {
            idc?: string | undefined;
            location?: string | undefined;
            cidrs?: string[] | undefined;
            hostnames?: string[] | undefined;
          } | undefined;
          is_default?: boolean | undefined;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['SchedulerCluster'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/scheduler-clusters/{id}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** One scheduler cluster */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['SchedulerCluster'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    /** Delete a scheduler cluster */
    delete: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    /** Change a scheduler cluster */
    patch: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          name?: string | undefined;
          bio?: string | undefined;
          config?: {
            candidate_parent_limit?: number | undefined;
            filter_parent_limit?: number | undefined;
            job_rate_limit?: number | undefined;
          } | undefined;
          client_config?: {
            load_limit?: number | undefined;
            block_list?: {
              task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
              } | undefined;
              persistent_task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
                upload?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                } | undefined;
              } | undefined;
              persistent_cache_task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
                upload?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                } | undefined;
              } | undefined;
            } | undefined;
          } | undefined;
          seed_client_config?: {
            load_limit?: number | undefined;
            block_list?: {
              task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
              } | undefined;
              persistent_task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
                upload?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                } | undefined;
              } | undefined;
              persistent_cache_task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
                upload?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                } | undefined;
              } | undefined;
            } | undefined;
          } | undefined;
          scopes?: {
            idc?: string | undefined;
            location?: string | undefined;
            cidrs?: string[] | undefined;
            hostnames?: string[] | undefined;
          } | undefined;
          is_default?: boolean | undefined;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['SchedulerCluster'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
  };
  '/api/v1/seed-peer-clusters': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** List seed peer clusters */
    get: {
      parameters: {
        query?: {
          page?: number | undefined;
          per_page?: number | undefined;
          search?: string | undefined;
          name?: string | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['SeedPeerCluster'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    /** Create a seed peer cluster */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          name: string;
          bio?: string | undefined;
          config: {
            load_limit?: number | undefined;
            block_list?: {
              task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
              } | undefined;
              persistent_task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
                upload?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                } | undefined;
              } | undefined;
              persistent_cache_task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
                upload?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                } | undefined;
              } | undefined;
            } | undefined;
          };
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['SeedPeerCluster'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/seed-peer-clusters/{id}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** One seed peer cluster */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['SeedPeerCluster'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    /** Delete a seed peer cluster */
    delete: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    /** Change a seed peer cluster */
    patch: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          name?: string | undefined;
          bio?: string | undefined;
          config?: {
            load_limit?: number | undefined;
            block_list?: {
              task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
              } | undefined;
              persistent_task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
                upload?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                } | undefined;
              } | undefined;
              persistent_cache_task?: {
                download?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                  priorities?: number[] | undefined;
                } | undefined;
                upload?: {
                  applications?: string[] | undefined;
                  urls?: string[] | undefined;
                  tags?: string[] | undefined;
                } | undefined;
              } | undefined;
            } | undefined;
          } | undefined;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['SeedPeerCluster'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
  };
  '/api/v1/scheduler-clusters/{id}/schedulers/{other_id}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    /** Move a scheduler into the cluster */
    put: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
          other_id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/seed-peer-clusters/{id}/seed-peers/{other_id}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    /** Move a seed peer into the cluster */
    put: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
          other_id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/seed-peer-clusters/{id}/scheduler-clusters/{other_id}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    /** Link the two clusters */
    put: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
          other_id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/schedulers': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** List schedulers */
    get: {
      parameters: {
        query?: {
          page?: number | undefined;
          per_page?: number | undefined;
          search?: string | undefined;
          host_name?: string | undefined;
          idc?: string | undefined;
          location?: string | undefined;
          ip?: string | undefined;
          state?: "active" | "inactive" | undefined;
          scheduler_cluster_id?: number | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Scheduler'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    /** Create a scheduler */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          host_name: string;
          idc?: string | undefined;
          location?: string | undefined;
          ip: string;
          port: number;
          features?: ("schedule" | "preheat")[] | undefined;
          config?: {
            manager_keep_alive_interval?: number | undefined;
            [name: string]: unknown;
          } | undefined;
          scheduler_cluster_id: number;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Scheduler'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/schedulers/{id}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** One scheduler */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Scheduler'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    /** Delete a scheduler */
    delete: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    /** Change a scheduler */
    patch: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          host_name?: string | undefined;
          idc?: string | undefined;
          location?: string | undefined;
          ip?: string | undefined;
          port?: number | undefined;
          features?: ("schedule" | "preheat")[] | undefined;
          config?: {
            manager_keep_alive_interval?: number | undefined;
            [name: string]: unknown;
          } | undefined;
          scheduler_cluster_id?: number | undefined;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Scheduler'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
  };
  '/api/v1/seed-peers': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** List seed peers */
    get: {
      parameters: {
        query?: {
          page?: number | undefined;
          per_page?: number | undefined;
          search?: string | undefined;
          host_name?: string | undefined;
          idc?: string | undefined;
          location?: string | undefined;
          ip?: string | undefined;
          state?: "active" | "inactive" | undefined;
          type?: "super" | "strong" | "weak" | undefined;
          port?: number | undefined;
          download_port?: number | undefined;
          object_storage_port?: number | undefined;
          seed_peer_cluster_id?: number | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['SeedPeer'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    /** Create a seed peer */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          host_name: string;
          type: "super" | "strong" | "weak";
          idc?: string | undefined;
          location?: string | undefined;
          ip: string;
          port: number;
          download_port: number;
          object_storage_port?: number | undefined;
          seed_peer_cluster_id: number;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['SeedPeer'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/seed-peers/{id}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** One seed peer */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['SeedPeer'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    /** Delete a seed peer */
    delete: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    /** Change a seed peer */
    patch: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          host_name?: string | undefined;
          type?: "super" | "strong" | "weak" | undefined;
          idc?: string | undefined;
          location?: string | undefined;
          ip?: string | undefined;
          port?: number | undefined;
          download_port?: number | undefined;
          object_storage_port?: number | undefined;
          seed_peer_cluster_id?: number | undefined;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['SeedPeer'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
  };
  '/api/v1/peers': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** List peers */
    get: {
      parameters: {
        query?: {
          page?: number | undefined;
          per_page?: number | undefined;
          search?: string | undefined;
          host_name?: string | undefined;
          idc?: string | undefined;
          location?: string | undefined;
          ip?: string | undefined;
          state?: "active" | "inactive" | undefined;
          type?: "super" | "strong" | "weak" | "normal" | undefined;
          port?: number | undefined;
          download_port?: number | undefined;
          proxy_port?: number | undefined;
          object_storage_port?: number | undefined;
          os?: string | undefined;
          platform?: string | undefined;
          platform_family?: string | undefined;
          platform_version?: string | undefined;
          kernel_version?: string | undefined;
          git_version?: string | undefined;
          git_commit?: string | undefined;
          build_platform?: string | undefined;
          scheduler_cluster_id?: number | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Peer'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    /** Create a peer */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          host_name: string;
          type: "super" | "strong" | "weak" | "normal";
          idc?: string | undefined;
          location?: string | undefined;
          ip: string;
          port: number;
          download_port: number;
          proxy_port?: number | undefined;
          object_storage_port?: number | undefined;
          state?: "active" | "inactive" | undefined;
          os?: string | undefined;
          platform?: string | undefined;
          platform_family?: string | undefined;
          platform_version?: string | undefined;
          kernel_version?: string | undefined;
          git_version?: string | undefined;
          git_commit?: string | undefined;
          build_platform?: string | undefined;
          scheduler_cluster_id: number;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Peer'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/peers/{id}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** One peer */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Peer'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    /** Delete a peer */
    delete: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    patch?: never;
  };
  '/api/v1/scheduler-features': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** What schedulers may be asked to do */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': string[] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/persistent-cache-tasks': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Persistent cache tasks and persistent tasks, the newest first */
    get: {
      parameters: {
        query?: {
          page?: number | undefined;
          per_page?: number | undefined;
          search?: string | undefined;
          scheduler_cluster_id?: number | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': ({
          id: string;
          scheduler_cluster_id: number;
          /** hosts that are to hold it */
          persistent_replica_count: number;
          /** hosts that do */
          current_persistent_replica_count: number;
          /** with copies in caches */
          current_replica_count: number;
          tag: string;
          application: string;
          /** of the whole content; empty when it is not known */
          digest: string;
          /** user and host that imported it */
          owner: string;
          piece_length: number;
          content_length: number;
          total_piece_count: number;
          state: "Uploading" | "Succeeded";
          /** nanoseconds */
          ttl: number;
          created_at: string;
          updated_at: string;
          /** of a persistent task: the object of a store that it belongs to */
          object: {
            url: string;
            region: string;
            endpoint: string;
            /** in its store, on its way there, or not to go there */
            state: "stored" | "pending" | "replicas";
            /** the store's entity tag; empty when it is not known */
            etag: string;
          } | null;
          peers: ({
            /** id of the host */
            id: string;
            /** its collector does not take it */
            persistent: boolean;
            state: "Succeeded" | "Running" | "Away";
            host: {
              id: string;
              type: "normal" | "super";
              hostname: string;
              ip: string;
              port: number;
              download_port: number;
              network: {
                idc: string;
                location: string;
              };
            };
          })[];
        })[] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/persistent-cache-tasks/{id}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** One persistent cache task or persistent task */
    get: {
      parameters: {
        query?: {
          scheduler_cluster_id?: number | undefined;
        };
        header?: never;
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': {
          id: string;
          scheduler_cluster_id: number;
          /** hosts that are to hold it */
          persistent_replica_count: number;
          /** hosts that do */
          current_persistent_replica_count: number;
          /** with copies in caches */
          current_replica_count: number;
          tag: string;
          application: string;
          /** of the whole content; empty when it is not known */
          digest: string;
          /** user and host that imported it */
          owner: string;
          piece_length: number;
          content_length: number;
          total_piece_count: number;
          state: "Uploading" | "Succeeded";
          /** nanoseconds */
          ttl: number;
          created_at: string;
          updated_at: string;
          /** of a persistent task: the object of a store that it belongs to */
          object: {
            url: string;
            region: string;
            endpoint: string;
            /** in its store, on its way there, or not to go there */
            state: "stored" | "pending" | "replicas";
            /** the store's entity tag; empty when it is not known */
            etag: string;
          } | null;
          peers: ({
            /** id of the host */
            id: string;
            /** its collector does not take it */
            persistent: boolean;
            state: "Succeeded" | "Running" | "Away";
            host: {
              id: string;
              type: "normal" | "super";
              hostname: string;
              ip: string;
              port: number;
              download_port: number;
              network: {
                idc: string;
                location: string;
              };
            };
          })[];
        } } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    /** Delete a persistent cache task or persistent task from all hosts that hold it */
    delete: {
      parameters: {
        query?: {
          scheduler_cluster_id?: number | undefined;
        };
        header?: never;
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    patch?: never;
  };
  '/api/v1/releases': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Published versions, the newest first */
    get: {
      parameters: {
        query?: {
          page?: number | undefined;
          per_page?: number | undefined;
          name?: string | undefined;
          newest?: string | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Release'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/releases/{name}/versions/{version}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** One version */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          name: string;
          version: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Release'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    /** Delete a version, and from all hosts what no other version of the name uses */
    delete: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          name: string;
          version: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    patch?: never;
  };
  '/api/v1/releases/{name}/subscribers': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Who follows a name, and which version it has; the last to report first */
    get: {
      parameters: {
        query?: {
          page?: number | undefined;
          per_page?: number | undefined;
        };
        header?: never;
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['ReleaseSubscriber'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/replication-rules': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** List rules, and how far each cluster is */
    get: {
      parameters: {
        query?: {
          page?: number | undefined;
          per_page?: number | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['ReplicationRule'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    /** Create a rule; its tags are listed at once */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody: { content: { 'application/json': components['schemas']['NewReplicationRuleInput'] } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['ReplicationRule'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/replication-rules/{id}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** One rule */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['ReplicationRule'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    /** Delete a rule; clusters keep what they have */
    delete: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    /** Change a rule; its tags are listed anew */
    patch: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          name?: string | undefined;
          bio?: string | undefined;
          /** repositories of a registry: registry.example/team/*; or of a model hub: hf://owner/name */
          source?: string | undefined;
          /** patterns, one of which a tag, or a revision of a model, matches */
          tags?: string[] | undefined;
          /** all clusters when there are none */
          scheduler_cluster_ids?: number[] | undefined;
          /** false: tags are pushed to the target alone */
          to_clusters?: boolean | undefined;
          /** a registry to which tags are pushed, and a place in it, below which repositories keep their names; empty for none */
          target?: string | undefined;
          platform?: string | undefined;
          scope?: "single_seed_peer" | "all_seed_peers" | "all_peers" | undefined;
          /** notifications of the registry are heard */
          on_push?: boolean | undefined;
          /** tags are listed so often; 0 for never */
          interval_seconds?: number | undefined;
          /** to one cluster, on average; 0 without a bound */
          rate_bytes_per_sec?: number | undefined;
          /** tags that one cluster gets at once */
          concurrency?: number | undefined;
          enabled?: boolean | undefined;
          username?: string | undefined;
          password?: string | undefined;
          target_username?: string | undefined;
          target_password?: string | undefined;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['ReplicationRule'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
  };
  '/api/v1/replication-rules/{id}/run': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** List the tags now, and bring what is missing */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          /** also what was proven before */
          prove_again?: boolean | undefined;
        } | null } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['ReplicationRule'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/replication-rules/{id}/secret': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** A new secret for notifications of the registry; the one before counts no more */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': {
          secret: string;
        } } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/replication-rules/{id}/tags': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Tags that the rule covers, and what each cluster has proven */
    get: {
      parameters: {
        query?: {
          page?: number | undefined;
          per_page?: number | undefined;
        };
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['ReplicatedTag'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/replication-rules/{id}/notifications': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** Notification of a registry that something was pushed; Authorization: Bearer SECRET */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          events: ({
            action: string;
            target?: {
              repository?: string | undefined;
              tag?: string | undefined;
              [name: string]: unknown;
            } | undefined;
            [name: string]: unknown;
          })[];
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': {
          /** that are looked up */
          tags: number;
        } } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/configs': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** List configs */
    get: {
      parameters: {
        query?: {
          page?: number | undefined;
          per_page?: number | undefined;
          search?: string | undefined;
          name?: string | undefined;
          value?: string | undefined;
          user_id?: number | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Config'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    /** Create a config */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          name: string;
          value: string;
          bio?: string | undefined;
          user_id: number;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Config'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/configs/{id}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** One config */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Config'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    /** Delete a config */
    delete: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    /** Change a config */
    patch: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          name?: string | undefined;
          value?: string | undefined;
          bio?: string | undefined;
          user_id?: number | undefined;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Config'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
  };
  '/api/v1/applications': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** List applications */
    get: {
      parameters: {
        query?: {
          page?: number | undefined;
          per_page?: number | undefined;
          search?: string | undefined;
          name?: string | undefined;
          user_id?: number | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Application'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    /** Create a application */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          name: string;
          url: string;
          bio?: string | undefined;
          priority: {
            value: number;
            urls?: {
              regex: string;
              value: number;
            }[] | undefined;
          };
          user_id: number;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Application'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/applications/{id}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** One application */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Application'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    /** Delete a application */
    delete: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    /** Change a application */
    patch: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          name?: string | undefined;
          url?: string | undefined;
          bio?: string | undefined;
          priority?: {
            value: number;
            urls?: {
              regex: string;
              value: number;
            }[] | undefined;
          } | undefined;
          user_id?: number | undefined;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Application'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
  };
  '/api/v1/audits': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Who did what, newest first */
    get: {
      parameters: {
        query?: {
          page?: number | undefined;
          per_page?: number | undefined;
          search?: string | undefined;
          actor_type?: "UNKNOWN" | "USER" | "PAT" | undefined;
          actor_name?: string | undefined;
          event_type?: string | undefined;
          operation?: string | undefined;
          state?: "SUCCESS" | "FAILURE" | undefined;
          path?: string | undefined;
          status_code?: number | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Audit'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/audits/{id}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** One record */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Audit'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/personal-access-tokens': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** List personal access tokens */
    get: {
      parameters: {
        query?: {
          page?: number | undefined;
          per_page?: number | undefined;
          search?: string | undefined;
          state?: "active" | "inactive" | undefined;
          user_id?: number | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['PersonalAccessToken'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    /** Create a personal access token; it is shown this once */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          name: string;
          bio?: string | undefined;
          scopes?: ("job" | "cluster")[] | undefined;
          expired_at: string;
          user_id?: number | undefined;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['PersonalAccessToken'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/personal-access-tokens/{id}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** One token */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['PersonalAccessToken'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    /** Delete a token */
    delete: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    /** Change a token */
    patch: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          bio?: string | undefined;
          scopes?: ("job" | "cluster")[] | undefined;
          state?: "active" | "inactive" | undefined;
          expired_at?: string | undefined;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['PersonalAccessToken'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
  };
  '/api/v1/oauth': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** List oauth */
    get: {
      parameters: {
        query?: {
          page?: number | undefined;
          per_page?: number | undefined;
          search?: string | undefined;
          name?: string | undefined;
          client_id?: string | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['OAuthProvider'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    /** Create a oauth */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          name: string;
          bio?: string | undefined;
          client_id: string;
          client_secret: string;
          redirect_url: string;
          issuer?: string | undefined;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['OAuthProvider'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/oauth/{id}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** One oauth */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['OAuthProvider'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    /** Delete a oauth */
    delete: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    /** Change a oauth */
    patch: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          name?: string | undefined;
          bio?: string | undefined;
          client_id?: string | undefined;
          client_secret?: string | undefined;
          redirect_url?: string | undefined;
          issuer?: string | undefined;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['OAuthProvider'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
  };
  '/api/v1/users/signin/{name}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Sign in through a provider */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        302: { headers: { [name: string]: unknown }; content: { 'application/json': string } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/users/signin/{name}/callback': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Where a provider sends the browser back to */
    get: {
      parameters: {
        query?: {
          code?: string | undefined;
          state?: string | undefined;
        };
        header?: never;
        path: {
          name: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        302: { headers: { [name: string]: unknown }; content: { 'application/json': string } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/certificates': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Issued certificates, newest first */
    get: {
      parameters: {
        query?: {
          page?: number | undefined;
          per_page?: number | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Certificate'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/certificates/{serial}/revoke': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** Stop trusting a certificate */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          serial: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/certificates/authority': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** The authority, PEM; empty when it is off */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': {
          certificate: string;
        } } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/join-tokens': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** List join tokens */
    get: {
      parameters: {
        query?: {
          page?: number | undefined;
          per_page?: number | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['JoinToken'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    /** Create a token with which members join, and by which they know this manager; it is shown this once */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          name: string;
          bio?: string | undefined;
          /** what it makes of whoever shows it; any: what he says he is, for trials */
          role?: "any" | "peer" | "seed" | "scheduler" | undefined;
          expired_at: string;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['JoinToken'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/join-tokens/{id}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    post?: never;
    /** Delete a join token */
    delete: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    patch?: never;
  };
  '/api/v1/session': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Who is signed in, and what he may do */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['SessionInfo'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/console': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** What a sign-in page needs to know */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['ConsoleInfo'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/events': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Server-sent events: `change` with what changed, `tasks`, `nodes`, `traffic`, `reset` when something may have been missed, `history` of the traffic after it, `alive` now and then */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': string } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/tasks': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** What schedulers distribute right now, the latest to change first */
    get: {
      parameters: {
        query?: {
          page?: number | undefined;
          per_page?: number | undefined;
          scheduler_cluster_id?: number | undefined;
          state?: string | undefined;
          url?: string | undefined;
          task_id?: string | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['LiveTask'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/tasks/{id}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** One of them */
    get: {
      parameters: {
        query?: {
          scheduler_cluster_id?: number | undefined;
        };
        header?: never;
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['LiveTask'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/tasks/{id}/events': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Its swarm as server-sent events: `snapshot`, then `delta`; `absent` while no scheduler knows it; `alive` now and then */
    get: {
      parameters: {
        query?: {
          scheduler_cluster_id?: number | undefined;
        };
        header?: never;
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': string } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/nodes': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Every host of every cluster as the schedulers see it; those that were lost within a day included */
    get: {
      parameters: {
        query?: {
          page?: number | undefined;
          per_page?: number | undefined;
          search?: string | undefined;
          scheduler_cluster_id?: number | undefined;
          state?: "online" | "silent" | "lost" | "left" | undefined;
          type?: "seed" | "normal" | undefined;
          sort?: "name" | "since" | "uploads" | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Node'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/nodes/{id}': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** One of them, with its last states */
    get: {
      parameters: {
        query?: {
          scheduler_cluster_id?: number | undefined;
        };
        header?: never;
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['NodeWithLog'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/nodes/{id}/downloads': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** What it got last, from whom, and how long that took; newest first */
    get: {
      parameters: {
        query?: {
          page?: number | undefined;
          per_page?: number | undefined;
          scheduler_cluster_id?: number | undefined;
        };
        header?: never;
        path: {
          id: string;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['NodeDownload'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/concerns': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** What somebody should look after, errors first */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Concern'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/concerns/acknowledge': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    /** Take care of concerns, so that others know, or no longer */
    post: {
      parameters: {
        query?: never;
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody: { content: { 'application/json': {
          ids: string[];
          acknowledged?: boolean | undefined;
        } } };
      responses: {
        200: { headers: { [name: string]: unknown }; content: { [media: string]: unknown } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  '/api/v1/traffic': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** What nodes got, by source and time; steps in which nothing came are left out */
    get: {
      parameters: {
        query?: {
          span?: "minute" | "hour" | "day" | undefined;
          from_ms?: number | undefined;
          to_ms?: number | undefined;
          scheduler_cluster_id?: number | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['TrafficOfStep'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/traffic/csv': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** The same as a table */
    get: {
      parameters: {
        query?: {
          span?: "minute" | "hour" | "day" | undefined;
          from_ms?: number | undefined;
          to_ms?: number | undefined;
          scheduler_cluster_id?: number | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': string } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/traffic/shares': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Who got how much, beside the time before */
    get: {
      parameters: {
        query: {
          from_ms?: number | undefined;
          to_ms?: number | undefined;
          scheduler_cluster_id?: number | undefined;
          by: "application" | "tag" | "zone" | "node" | "origin";
          order?: "bytes" | "given" | "failures" | undefined;
          limit?: number | undefined;
          name?: string | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['TrafficShares'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/traffic/shares/csv': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** The same as a table */
    get: {
      parameters: {
        query: {
          from_ms?: number | undefined;
          to_ms?: number | undefined;
          scheduler_cluster_id?: number | undefined;
          by: "application" | "tag" | "zone" | "node" | "origin";
          order?: "bytes" | "given" | "failures" | undefined;
          limit?: number | undefined;
          name?: string | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': string } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/traffic/shares/steps': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** One of them by hours, or by days when the time is longer than three days or more than a month ago */
    get: {
      parameters: {
        query: {
          from_ms?: number | undefined;
          to_ms?: number | undefined;
          scheduler_cluster_id?: number | undefined;
          by: "application" | "tag" | "zone" | "node" | "origin";
          name: string;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['TrafficShareStep'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/traffic/distributions': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Distributions of the past, the latest first unless another order is asked for */
    get: {
      parameters: {
        query?: {
          page?: number | undefined;
          per_page?: number | undefined;
          from_ms?: number | undefined;
          to_ms?: number | undefined;
          scheduler_cluster_id?: number | undefined;
          task_id?: string | undefined;
          url?: string | undefined;
          application?: string | undefined;
          tag?: string | undefined;
          sort?: "ended" | "slowest" | "bytes" | "origin" | "downloads" | "failures" | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['ListedDistribution'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/traffic/distributions/{id}/recording': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** How the pieces of one of them moved; the last ones of several nodes have it */
    get: {
      parameters: {
        query?: never;
        header?: never;
        path: {
          id: number;
        };
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Recording'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/traffic/tasks': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Tasks that were asked for most */
    get: {
      parameters: {
        query?: {
          from_ms?: number | undefined;
          to_ms?: number | undefined;
          scheduler_cluster_id?: number | undefined;
          application?: string | undefined;
          limit?: number | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['HotTask'][] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  '/api/v1/traffic/report': {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** A month in one answer */
    get: {
      parameters: {
        query?: {
          month?: string | undefined;
          scheduler_cluster_id?: number | undefined;
        };
        header?: never;
        path?: never;
        cookie?: never;
      };
      requestBody?: never;
      responses: {
        200: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['TrafficReport'] } };
        401: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        403: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        404: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        409: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
        422: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Invalid'] } };
        429: { headers: { [name: string]: unknown }; content: { 'application/json': components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
}

export interface components {
  schemas: {
    NewJobInput: {
      bio?: string | undefined;
      type: "preheat" | "get_task" | "delete_task" | "sync_peers" | "get_image_distribution" | "gc";
      args?: {
        [name: string]: unknown;
      } | null | undefined;
      user_id?: number | null | undefined;
      scheduler_cluster_ids?: number[] | null | undefined;
      seed_peer_cluster_ids?: number[] | null | undefined;
    };
    NewReplicationRuleInput: {
      name: string;
      bio?: string | undefined;
      /** repositories of a registry: registry.example/team/*; or of a model hub: hf://owner/name */
      source: string;
      /** patterns, one of which a tag, or a revision of a model, matches */
      tags?: string[] | undefined;
      /** all clusters when there are none */
      scheduler_cluster_ids?: number[] | undefined;
      /** false: tags are pushed to the target alone */
      to_clusters?: boolean | undefined;
      /** a registry to which tags are pushed, and a place in it, below which repositories keep their names; empty for none */
      target?: string | undefined;
      platform?: string | undefined;
      scope?: "single_seed_peer" | "all_seed_peers" | "all_peers" | undefined;
      /** notifications of the registry are heard */
      on_push?: boolean | undefined;
      /** tags are listed so often; 0 for never */
      interval_seconds?: number | undefined;
      /** to one cluster, on average; 0 without a bound */
      rate_bytes_per_sec?: number | undefined;
      /** tags that one cluster gets at once */
      concurrency?: number | undefined;
      enabled?: boolean | undefined;
      username?: string | undefined;
      password?: string | undefined;
      target_username?: string | undefined;
      target_password?: string | undefined;
    };
    PermissionInput: {
      object: "users" | "roles" | "permissions" | "oauth" | "clusters" | "scheduler-clusters" | "schedulers" | "scheduler-features" | "seed-peer-clusters" | "seed-peers" | "peers" | "configs" | "jobs" | "applications" | "personal-access-tokens" | "persistent-cache-tasks" | "releases" | "replication-rules" | "audits" | "certificates" | "join-tokens" | "events" | "tasks" | "nodes" | "concerns" | "traffic";
      action: "read" | "*";
    };
    LiveTask: {
      id: string;
      scheduler_cluster_id: number;
      url: string;
      tag: string;
      application: string;
      state: string;
      /** 0 while unknown, as the two after it */
      content_length: number;
      piece_length: number;
      piece_count: number;
      created_at_ms: number;
      updated_at_ms: number;
      peers: number;
      peers_running: number;
      peers_finished: number;
      peers_failed: number;
      /** all bytes fetched from the origin, also bytes fetched twice */
      origin_bytes: number;
      peer_bytes: number;
    };
    Node: {
      /** of the host */
      id: string;
      scheduler_cluster_id: number;
      host_name: string;
      ip: string;
      port: number;
      proxy_port: number;
      type: "seed" | "normal";
      idc: string;
      location: string;
      version: string;
      platform: string;
      /** silent: its connections stand, but it says nothing; left: it said goodbye */
      state: "online" | "silent" | "lost" | "left";
      /** why it is lost: stream (its connection broke), unanswered (nobody gets an answer), expired (it announced itself no more), vanished (it did not come back to a scheduler that started anew) */
      reason: string;
      /** of the state */
      since_ms: number;
      joined_at_ms: number;
      last_word_ms: number;
      /** other nodes cannot connect to it */
      unreachable: boolean;
      /** bytes, 0 while unknown, as the three after it */
      disk_total: number;
      disk_free: number;
      memory_total: number;
      memory_available: number;
      uploads_running: number;
      /** pieces it gave */
      uploads: number;
      uploads_failed: number;
      tasks: number;
      /** nobody gets it as a parent until then; 0 otherwise */
      struck_off_until_ms: number;
      /** hosts that found it to give or tell what is not so */
      accusers: string[];
    };
    NodeWithLog: {
      /** of the host */
      id: string;
      scheduler_cluster_id: number;
      host_name: string;
      ip: string;
      port: number;
      proxy_port: number;
      type: "seed" | "normal";
      idc: string;
      location: string;
      version: string;
      platform: string;
      /** silent: its connections stand, but it says nothing; left: it said goodbye */
      state: "online" | "silent" | "lost" | "left";
      /** why it is lost: stream (its connection broke), unanswered (nobody gets an answer), expired (it announced itself no more), vanished (it did not come back to a scheduler that started anew) */
      reason: string;
      /** of the state */
      since_ms: number;
      joined_at_ms: number;
      last_word_ms: number;
      /** other nodes cannot connect to it */
      unreachable: boolean;
      /** bytes, 0 while unknown, as the three after it */
      disk_total: number;
      disk_free: number;
      memory_total: number;
      memory_available: number;
      uploads_running: number;
      /** pieces it gave */
      uploads: number;
      uploads_failed: number;
      tasks: number;
      /** nobody gets it as a parent until then; 0 otherwise */
      struck_off_until_ms: number;
      /** hosts that found it to give or tell what is not so */
      accusers: string[];
      /** its last states, newest first */
      log: ({
        state: "online" | "silent" | "lost" | "left";
        reason: string;
        at_ms: number;
      })[];
    };
    Concern: {
      /** the same as long as it is the same concern */
      id: string;
      kind: "node-lost" | "node-silent" | "node-struck-off" | "node-unreachable" | "node-old" | "disk-full" | "memory-full" | "certificate-ending" | "no-scheduler" | "scheduler-inactive";
      severity: "error" | "warning";
      /** 0 when it is not of one cluster */
      scheduler_cluster_id: number;
      /** empty when it is not about a node */
      node_id: string;
      /** of what it is about */
      name: string;
      detail: string;
      /** what to do */
      advice: string;
      since_ms: number;
      /** who takes care of it; empty for nobody */
      acknowledged_by: string;
      acknowledged_at_ms: number;
    };
    Error: {
      message: string;
      hint?: string | undefined;
    };
    Invalid: {
      errors: string;
      message: string;
    };
    Certificate: {
      serial: string;
      subject: string;
      names: string[];
      kind: string;
      created_at: string;
      expires_at: string;
      revoked_at: string | null;
    };
    JoinToken: {
      id: number;
      created_at: string;
      updated_at: string;
      is_del: 0;
      name: string;
      bio: string;
      role: "any" | "peer" | "seed" | "scheduler";
      token: string;
      expired_at: string;
      user_id: number;
    };
    Cluster: {
      id: number;
      created_at: string;
      updated_at: string;
      is_del: 0;
      name: string;
      bio: string;
      scopes: {
        idc: string;
        location: string;
        cidrs: string[];
        hostnames: string[];
      };
      scheduler_cluster_id: number;
      seed_peer_cluster_id: number;
      scheduler_cluster_config: {
        [name: string]: unknown;
      };
      seed_peer_cluster_config: {
        [name: string]: unknown;
      };
      peer_cluster_config: {
        [name: string]: unknown;
      };
      is_default: boolean;
    };
    TrafficFigures: {
      origin_bytes: number;
      /** saved: the origin would have sent them */
      peer_bytes: number;
      /** a node’s: what it gave to others */
      given_bytes: number;
      /** that were finished */
      downloads: number;
      /** downloads; a node’s: also pieces it failed to give; an origin’s: its own */
      failures: number;
    };
    TrafficShare: {
      /** empty for downloads that have none; * for all that are too many to be kept apart */
      name: string;
      origin_bytes: number;
      /** saved: the origin would have sent them */
      peer_bytes: number;
      /** a node’s: what it gave to others */
      given_bytes: number;
      /** that were finished */
      downloads: number;
      /** downloads; a node’s: also pieces it failed to give; an origin’s: its own */
      failures: number;
      /** in the time as long before */
      before: components['schemas']['TrafficFigures'];
    };
    TrafficShares: {
      from_ms: number;
      to_ms: number;
      total: components['schemas']['TrafficFigures'];
      before: components['schemas']['TrafficFigures'];
      /** the largest first */
      shares: components['schemas']['TrafficShare'][];
    };
    TrafficShareStep: {
      scheduler_cluster_id: number;
      at_ms: number;
      origin_bytes: number;
      /** saved: the origin would have sent them */
      peer_bytes: number;
      /** a node’s: what it gave to others */
      given_bytes: number;
      /** that were finished */
      downloads: number;
      /** downloads; a node’s: also pieces it failed to give; an origin’s: its own */
      failures: number;
    };
    Distribution: {
      id: number;
      scheduler_cluster_id: number;
      task_id: string;
      url: string;
      tag: string;
      application: string;
      /** 0 while unknown */
      content_length: number;
      started_at_ms: number;
      /** when the last node had it */
      ended_at_ms: number;
      downloads: number;
      failures: number;
      origin_bytes: number;
      peer_bytes: number;
      /** that finished last */
      last_node: string;
      /** time of the download that took longest */
      slowest_ms: number;
      median_ms: number;
      /** that the origin sent; 0 while the length is unknown */
      copies: number;
    };
    ListedDistribution: {
      id: number;
      scheduler_cluster_id: number;
      task_id: string;
      url: string;
      tag: string;
      application: string;
      /** 0 while unknown */
      content_length: number;
      started_at_ms: number;
      /** when the last node had it */
      ended_at_ms: number;
      downloads: number;
      failures: number;
      origin_bytes: number;
      peer_bytes: number;
      /** that finished last */
      last_node: string;
      /** time of the download that took longest */
      slowest_ms: number;
      median_ms: number;
      /** that the origin sent; 0 while the length is unknown */
      copies: number;
      /** it can be watched again */
      recorded: boolean;
    };
    Recording: {
      distribution: components['schemas']['Distribution'];
      /** 0 when it was not known any more, as the count */
      piece_length: number;
      piece_count: number;
      /** moves within one step are not told apart */
      step_ms: number;
      /** times are milliseconds since the distribution began */
      peers: {
        host_name: string;
        ip: string;
        idc: string;
        /** seed or normal */
        type: string;
        began_ms: number;
        /** 0 when it never ended */
        ended_ms: number;
        failed: boolean;
        /** it held what it gave before the distribution began */
        held_before: boolean;
      }[];
      /** four numbers each, in order of time: the step, the index of who got pieces, 0 for the origin or the index of who gave them plus one, and how many */
      moves: number[];
    };
    HotTask: {
      task_id: string;
      url: string;
      tag: string;
      application: string;
      distributions: number;
      downloads: number;
      failures: number;
      origin_bytes: number;
      peer_bytes: number;
      content_length: number;
      /** when it was asked for last */
      last_ms: number;
    };
    TrafficReport: {
      month: string;
      from_ms: number;
      to_ms: number;
      total: components['schemas']['TrafficFigures'];
      /** in the month before */
      before: components['schemas']['TrafficFigures'];
      applications: components['schemas']['TrafficShare'][];
      zones: components['schemas']['TrafficShare'][];
      /** that gave most */
      nodes: components['schemas']['TrafficShare'][];
      /** nodes that failed most often */
      dragging: components['schemas']['TrafficShare'][];
      origins: components['schemas']['TrafficShare'][];
      failing_origins: components['schemas']['TrafficShare'][];
      tasks: components['schemas']['HotTask'][];
      slowest: components['schemas']['Distribution'][];
    };
    Job: {
      id: number;
      created_at: string;
      updated_at: string;
      is_del: 0;
      task_id: string;
      bio: string;
      type: string;
      state: "PENDING" | "SUCCESS" | "FAILURE" | "CANCELLED";
      args: {
        [name: string]: unknown;
      };
      result: {
        [name: string]: unknown;
      } | null;
      user_id: number;
      user: {
        id: number;
        name: string;
      } | null;
      scheduler_clusters: {
        id: number;
        name: string;
      }[];
      seed_peer_clusters: {
        id: number;
        name: string;
      }[];
      progress?: {
        total: number;
        pending: number;
        running: number;
        succeeded: number;
        failed: number;
        nodes: {
          host_name: string;
          ip: string;
          host_type: string;
          scheduler_cluster_id: number;
          blobs: {
            url: string;
            task_id: string;
            state: string;
            finished_bytes: number;
            content_length: number;
            verified: boolean;
            attempt: number;
            error: string;
          }[];
        }[];
      } | undefined;
    };
    ImageDistribution: {
      image: {
        [name: string]: unknown;
      };
      peers: {
        [name: string]: unknown;
      }[];
    };
    NodeDownload: {
      scheduler_cluster_id: number;
      task_id: string;
      url: string;
      tag: string;
      application: string;
      /** 0 while unknown */
      content_length: number;
      started_at_ms: number;
      ended_at_ms: number;
      succeeded: boolean;
      origin_bytes: number;
      peer_bytes: number;
      /** the nodes that gave most of it, the first first */
      sources: {
        host_name: string;
        pieces: number;
      }[];
    };
    PreheatEstimate: {
      nodes: number;
      clusters: {
        id: number;
        nodes: number;
      }[];
      /** files, or manifests and blobs */
      items: number;
      /** of those whose length is known */
      content_bytes: number;
      /** those whose length nobody told */
      unknown_items: number;
      /** once for each cluster in which nobody holds it */
      origin_bytes: number;
      /** what all nodes get together, at most */
      node_bytes: number;
      /** names of nodes with less room on their disk */
      too_full: string[];
    };
    PersonalAccessToken: {
      id: number;
      created_at: string;
      updated_at: string;
      is_del: 0;
      name: string;
      bio: string;
      token: string;
      scopes: string[];
      state: string;
      expired_at: string;
      user_id: number;
      user: {
        id: number;
        name: string;
      } | null;
    };
    Release: {
      /** grows with every version that is published */
      id: number;
      name: string;
      version: string;
      /** the same for the same files, whenever and however published */
      content_digest: string;
      manifest_digest: string;
      manifest_task_id: string;
      content_length: number;
      /** what the version before did not have */
      new_length: number;
      file_count: number;
      replicas: number;
      /** user and host */
      publisher: string;
      /** Ed25519 in base64; empty when it is not signed */
      public_key: string;
      created_at: string;
      expires_at: string;
      /** of its name */
      is_newest: boolean;
      /** of its name */
      version_count: number;
      /** published before it; empty for the first one */
      previous_version: string;
      /** an older version with the same files: everybody was led back to it */
      returns_to: string;
      /** directories that follow the name */
      subscriber_count: number;
      /** of them, those that have switched to this version */
      running_count: number;
      fetching_count: number;
      failed_count: number;
    };
    ReleaseSubscriber: {
      host_id: string;
      path: string;
      version: string;
      /** fetching, switched or failed */
      state: string;
      error: string;
      updated_at: string;
    };
    ReplicationRule: {
      id: number;
      created_at: string;
      updated_at: string;
      is_del: 0;
      name: string;
      bio: string;
      /** repositories of a registry: registry.example/team/*; or of a model hub: hf://owner/name */
      source: string;
      /** patterns, one of which a tag, or a revision of a model, matches */
      tags: string[];
      /** all clusters when there are none */
      scheduler_cluster_ids: number[];
      /** false: tags are pushed to the target alone */
      to_clusters: boolean;
      /** a registry to which tags are pushed, and a place in it, below which repositories keep their names; empty for none */
      target: string;
      platform: string;
      scope: "single_seed_peer" | "all_seed_peers" | "all_peers";
      /** notifications of the registry are heard */
      on_push: boolean;
      /** tags are listed so often; 0 for never */
      interval_seconds: number;
      /** to one cluster, on average; 0 without a bound */
      rate_bytes_per_sec: number;
      /** tags that one cluster gets at once */
      concurrency: number;
      enabled: boolean;
      username: string;
      target_username: string;
      /** a registry can prove itself */
      has_secret: boolean;
      tag_count: number;
      listed_at: string | null;
      /** why the tags could not be listed */
      error: string;
      clusters: {
        scheduler_cluster_id: number;
        proven: number;
        /** there, but the nodes cannot prove it */
        copied: number;
        running: number;
        waiting: number;
        /** waiting for another try */
        failed: number;
        bytes: number;
      }[];
      /** what the target has; null without one */
      target_copies: {
        proven: number;
        /** there, but the nodes cannot prove it */
        copied: number;
        running: number;
        waiting: number;
        /** waiting for another try */
        failed: number;
        bytes: number;
      } | null;
    };
    ReplicatedTag: {
      repository: string;
      tag: string;
      /** what the source said last */
      digest: string;
      error: string;
      clusters: ({
        scheduler_cluster_id: number;
        state: "waiting" | "running" | "proven" | "copied" | "failed";
        /** what has been proven last */
        digest: string;
        bytes: number;
        proven_at: string | null;
        error: string;
        job_id: number;
      })[];
      /** what the target has; null without one */
      target: {
        state: "waiting" | "running" | "proven" | "copied" | "failed";
        /** what has been proven last */
        digest: string;
        bytes: number;
        proven_at: string | null;
        error: string;
      } | null;
    };
    Permission: {
      object: "users" | "roles" | "permissions" | "oauth" | "clusters" | "scheduler-clusters" | "schedulers" | "scheduler-features" | "seed-peer-clusters" | "seed-peers" | "peers" | "configs" | "jobs" | "applications" | "personal-access-tokens" | "persistent-cache-tasks" | "releases" | "replication-rules" | "audits" | "certificates" | "join-tokens" | "events" | "tasks" | "nodes" | "concerns" | "traffic";
      action: "read" | "*";
    };
    User: {
      id: number;
      created_at: string;
      updated_at: string;
      is_del: 0;
      name: string;
      email: string;
      phone: string;
      avatar: string;
      state: string;
      location: string;
      bio: string;
      must_change_password: boolean;
    };
    Session: {
      token: string;
      expire: string;
    };
    SessionInfo: {
      user: components['schemas']['User'];
      roles: string[];
      permissions: ({
        object: "users" | "roles" | "permissions" | "oauth" | "clusters" | "scheduler-clusters" | "schedulers" | "scheduler-features" | "seed-peer-clusters" | "seed-peers" | "peers" | "configs" | "jobs" | "applications" | "personal-access-tokens" | "persistent-cache-tasks" | "releases" | "replication-rules" | "audits" | "certificates" | "join-tokens" | "events" | "tasks" | "nodes" | "concerns" | "traffic";
        action: "read" | "*";
      })[];
    };
    ConsoleInfo: {
      version: string;
      sign_up: boolean;
      oauth: string[];
      addresses: {
        grpc: string;
      };
      certificates: boolean;
    };
    TrafficOfStep: {
      scheduler_cluster_id: number;
      /** beginning of the minute, hour or day (UTC) */
      at_ms: number;
      origin_bytes: number;
      peer_bytes: number;
      /** that were finished */
      downloads: number;
    };
    NewPreheatEstimate: {
      args: {
        [name: string]: unknown;
      };
      scheduler_cluster_ids: unknown;
    };
    SchedulerCluster: {
      id: number;
      created_at: string;
      updated_at: string;
      is_del: 0;
      name: string;
      bio: string;
      config: {
        [name: string]: unknown;
      };
      client_config: {
        [name: string]: unknown;
      };
      seed_client_config: {
        [name: string]: unknown;
      };
      scopes: {
        idc: string;
        location: string;
        cidrs: string[];
        hostnames: string[];
      };
      is_default: boolean;
    };
    SeedPeerCluster: {
      id: number;
      created_at: string;
      updated_at: string;
      is_del: 0;
      name: string;
      bio: string;
      config: {
        [name: string]: unknown;
      };
    };
    Scheduler: {
      id: number;
      created_at: string;
      updated_at: string;
      is_del: 0;
      host_name: string;
      idc: string;
      location: string;
      ip: string;
      port: number;
      state: string;
      features: string[];
      config: {
        [name: string]: unknown;
      };
      last_keep_alive_at: string;
      scheduler_cluster_id: number;
    };
    SeedPeer: {
      id: number;
      created_at: string;
      updated_at: string;
      is_del: 0;
      host_name: string;
      idc: string;
      location: string;
      ip: string;
      port: number;
      state: string;
      type: string;
      download_port: number;
      object_storage_port: number;
      last_keep_alive_at: string;
      seed_peer_cluster_id: number;
    };
    Peer: {
      id: number;
      created_at: string;
      updated_at: string;
      is_del: 0;
      host_name: string;
      idc: string;
      location: string;
      ip: string;
      port: number;
      state: string;
      type: string;
      download_port: number;
      proxy_port: number;
      object_storage_port: number;
      os: string;
      platform: string;
      platform_family: string;
      platform_version: string;
      kernel_version: string;
      git_version: string;
      git_commit: string;
      build_platform: string;
      scheduler_cluster_id: number;
    };
    Config: {
      id: number;
      created_at: string;
      updated_at: string;
      is_del: 0;
      name: string;
      value: string;
      bio: string;
      user_id: number;
    };
    Application: {
      id: number;
      created_at: string;
      updated_at: string;
      is_del: 0;
      name: string;
      url: string;
      bio: string;
      priority: {
        [name: string]: unknown;
      };
      user_id: number;
    };
    Audit: {
      id: number;
      created_at: string;
      updated_at: string;
      is_del: 0;
      actor_type: string;
      actor_name: string;
      event_type: string;
      operation: string;
      operated_at: string;
      state: string;
      path: string;
      status_code: number;
    };
    OAuthProvider: {
      id: number;
      created_at: string;
      updated_at: string;
      is_del: 0;
      name: string;
      bio: string;
      client_id: string;
      redirect_url: string;
      issuer: string;
    };
  };
}
