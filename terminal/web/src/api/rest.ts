/** The REST API as this page asks it: JSON in and out, CSRF, and every refusal as an ApiError with the server's sentence. */

const BASE = '/api/v2/'
const TIMEOUT_MILLISECONDS = 20_000
/** The slowest answer (a basket of 20 legs) takes a second or two; beyond this the line is dead. */
const CSRF_COOKIES = ['__Host-csrftoken', 'csrftoken']
const UNREACHABLE = 0

/** A refusal: `status` 0 means that no answer came at all. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details: Readonly<Record<string, unknown>> = {},
  ) {
    super(message)
    this.name = 'ApiError'
  }
}

export const api = {
  get: <Answer>(path: string): Promise<Answer> => ask<Answer>('GET', path),
  post: <Answer>(path: string, body?: object): Promise<Answer> => ask<Answer>('POST', path, body),
  put: <Answer>(path: string, body?: object): Promise<Answer> => ask<Answer>('PUT', path, body),
  patch: <Answer>(path: string, body?: object): Promise<Answer> => ask<Answer>('PATCH', path, body),
  delete: <Answer = undefined>(path: string, body?: object): Promise<Answer> => ask<Answer>('DELETE', path, body),
}

/** `orders?account=3`, without what is undefined or empty. */
export function withQuery(path: string, query: Record<string, string | number | boolean | undefined | null>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '')
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()
  return text ? `${path}?${text}` : path
}

/** What to tell a person of any failure. */
export function sentence(error: unknown): string {
  return error instanceof Error && error.message ? error.message : 'That did not work.'
}

async function ask<Answer>(method: string, path: string, body?: object): Promise<Answer> {
  const response = await send(method, path, body)
  const answer = await read(response)
  if (response.ok) return answer as Answer
  throw refusal(response.status, answer)
}

async function send(method: string, path: string, body?: object): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json' }
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  if (method !== 'GET') headers['X-CSRFToken'] = csrfToken(document.cookie)
  const options: RequestInit = { method, headers, signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS) }
  if (body !== undefined) options.body = JSON.stringify(body)
  try {
    return await fetch(BASE + path, options)
  } catch {
    throw new ApiError(UNREACHABLE, 'UNREACHABLE', 'The server cannot be reached now.')
  }
}

async function read(response: Response): Promise<unknown> {
  const text = await response.text()
  if (!text) return undefined
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined // a page of a proxy in between
  }
}

function refusal(status: number, answer: unknown): ApiError {
  const body = (answer ?? {}) as { code?: string; message?: string; details?: Record<string, unknown> }
  return new ApiError(status, body.code ?? 'INTERNAL', body.message ?? `The server answered ${status}.`, body.details)
}

/** The token that Django wants back with every change. */
export function csrfToken(cookies: string): string {
  const byName = new Map(cookies.split('; ').map((each) => each.split('=', 2) as [string, string]))
  return CSRF_COOKIES.map((name) => byName.get(name)).find(Boolean) ?? ''
}
