/** Priorities of downloads by application, from the manager's table. */
import { compilePattern, type Pattern } from '../core/pattern.ts';

interface Rule {
  readonly value: number;
  readonly urls: readonly { readonly pattern: Pattern; readonly value: number }[];
}

/** The fields of an application that determine the priority of its downloads. */
export interface ApplicationRule {
  readonly name: string;
  readonly priority?:
    | { readonly value: number; readonly urls: readonly { readonly regex: string; readonly value: number }[] }
    | undefined;
}

export class ApplicationPriorities {
  readonly #rules: ReadonlyMap<string, Rule>;

  /** Patterns that are not valid regular expressions are left out. */
  constructor(applications: readonly ApplicationRule[]) {
    this.#rules = new Map(
      applications.flatMap(({ name, priority }) => (priority ? [[name, toRule(priority)] as const] : [])),
    );
  }

  /** The request's own priority counts unless it is 0; otherwise the first pattern of its application that matches its URL decides. */
  resolve(request: {
    readonly priority: number;
    readonly application?: string | undefined;
    readonly url: string;
  }): number {
    if (request.priority !== 0) return request.priority;
    const rule = this.#rules.get(request.application ?? '');
    if (!rule) return 0;
    return rule.urls.find(({ pattern }) => pattern.test(request.url))?.value ?? rule.value;
  }
}

function toRule(priority: NonNullable<ApplicationRule['priority']>): Rule {
  const urls = priority.urls.flatMap(({ regex, value }) => {
    const pattern = compilePattern(regex);
    return pattern ? [{ pattern, value }] : []; // the manager validates patterns; an invalid one from elsewhere must not disable the others
  });
  return { value: priority.value, urls };
}
