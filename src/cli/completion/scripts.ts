/** Completion scripts for three shells, all made from one table of which words may follow which. Where nothing else fits, files are offered. */
import type { Word, Words } from './words.ts';

/** Programs that also exist as a command of their own beside `dragonfly NAME`. */
export const ownNames = ['dfget', 'dfctl', 'dfdaemon', 'scheduler', 'manager'] as const;

export function bashScript(words: Words): string {
  const entries = [...words].map(
    ([path, found]) => `  [${quoted(`/${path}`)}]=${quoted(found.map(({ word }) => word).join(' '))}`,
  );
  return `# Completion of dragonfly for bash 4 and later: source <(dragonfly completion bash)
declare -gA _dragonfly_words=(
${entries.join('\n')}
)
_dragonfly() {
  local path="/\${1##*/}" current="\${COMP_WORDS[COMP_CWORD]}" index next
  [[ $path == /dragonfly ]] && path=/
  for ((index = 1; index < COMP_CWORD; index++)); do
    next="\${path%/} \${COMP_WORDS[index]}"
    [[ $path == / ]] && next="/\${COMP_WORDS[index]}"
    [[ -n "\${_dragonfly_words[$next]+known}" ]] && path=$next
  done
  local word
  COMPREPLY=()
  for word in $(compgen -W "\${_dragonfly_words[$path]}" -- "$current"); do
    [[ $word == -* && $current != -* ]] || COMPREPLY+=("$word")
  done
}
complete -o default -o bashdefault -F _dragonfly dragonfly ${ownNames.join(' ')}
`;
}

export function zshScript(words: Words): string {
  const entries = [...words].map(([path, found]) => {
    const lines = found.map(({ word, text }) => `${word.replaceAll(':', '\\:')}:${text.replaceAll(':', ' -')}`);
    return `  ${quoted(`/${path}`)} ${quoted(lines.join('\n'))}`;
  });
  return `#compdef dragonfly ${ownNames.join(' ')}
# Completion of dragonfly for zsh: source <(dragonfly completion zsh), after compinit
typeset -gA _dragonfly_words=(
${entries.join('\n')}
)
_dragonfly() {
  local path_="/\${words[1]:t}" word next
  [[ $path_ == /dragonfly ]] && path_=/
  for word in "\${(@)words[2,CURRENT-1]}"; do
    next="$path_ $word"
    [[ $path_ == / ]] && next="/$word"
    (( \${+_dragonfly_words[$next]} )) && path_=$next
  done
  local -a found=("\${(@f)_dragonfly_words[$path_]}")
  [[ $PREFIX == -* ]] || found=("\${(@)found:#-*}")
  (( \${#found} )) && _describe -t words dragonfly found && return
  _files
}
compdef _dragonfly dragonfly ${ownNames.join(' ')}
`;
}

export function fishScript(words: Words): string {
  const at = (path: string): string => quoted(`__dragonfly_at ${quoted(path === '' ? '/' : `/${path}`)}`, 'fish');
  const lines = [...words].flatMap(([path, found]) =>
    found.map((word) => `for name in $__dragonfly_names; complete -c $name -n ${at(path)} ${choice(word)}; end`),
  );
  return `# Completion of dragonfly for fish: dragonfly completion fish | source
set -g __dragonfly_names dragonfly ${ownNames.join(' ')}
set -g __dragonfly_paths ${[...words.keys()].map((path) => quoted(`/${path}`, 'fish')).join(' ')}
function __dragonfly_at
  set -l given (commandline -opc)
  set -l path /(basename $given[1])
  test $path = /dragonfly; and set path /
  for word in $given[2..-1]
    set -l next "$path $word"
    test $path = /; and set next "/$word"
    contains -- $next $__dragonfly_paths; and set path $next
  end
  test $path = $argv[1]
end
${lines.join('\n')}
`;
}

function choice({ word, text }: Word): string {
  const meaning = `-d ${quoted(text, 'fish')}`;
  if (word.startsWith('--')) return `-l ${quoted(word.slice(2), 'fish')} ${meaning}`;
  if (word.startsWith('-')) return `-s ${quoted(word.slice(1), 'fish')} ${meaning}`;
  return `-f -a ${quoted(word, 'fish')} ${meaning}`;
}

/** Quotes a text so that the shell takes every character literally. */
function quoted(text: string, shell: 'posix' | 'fish' = 'posix'): string {
  return shell === 'posix'
    ? `'${text.replaceAll("'", `'\\''`)}'`
    : `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
