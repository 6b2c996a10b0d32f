/** The field of a request that carries revision and token of a model hub, by the scheme of the URL. */
export function hubField(url: string): 'huggingFace' | 'modelScope' | 'openCsg' {
  if (url.startsWith('modelscope:')) return 'modelScope';
  return url.startsWith('opencsg:') ? 'openCsg' : 'huggingFace';
}
