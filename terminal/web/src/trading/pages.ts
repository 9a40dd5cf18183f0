/** A paged list of REST, a page at a time, newest first as the server has it. */

import { useCallback, useEffect, useRef, useState } from 'preact/hooks'

import { api, withQuery } from '../api/rest'
import type { Page } from '../api/types'

const PAGE = 100

export interface Pages<Row> {
  rows: readonly Row[]
  /** The first page has come. */
  ready: boolean
  more: boolean
  loading: boolean
  error: unknown
  loadMore: () => void
  /** From the first page again. */
  reload: () => void
}

type Query = Record<string, string | number | boolean | undefined>

interface State<Row> {
  rows: readonly Row[]
  page: number
  more: boolean
  loading: boolean
  error?: unknown
}

const EMPTY = { rows: [], page: 0, more: false, loading: false }

/** Asked when first wanted and when path, query or `turnOf` change; an answer to an older question is dropped. */
export function usePages<Row>(path: string, query: Query = {}, wanted = true, turnOf: unknown = null): Pages<Row> {
  const [state, setState] = useState<State<Row>>(EMPTY)
  const turn = useRef(0)
  const question = JSON.stringify([path, query])
  const load = useCallback(
    (page: number) => {
      const mine = ++turn.current
      setState(({ rows, page: reached, more }) => ({ rows, page: reached, more, loading: true }))
      api.get<Page<Row>>(withQuery(path, { ...query, page, page_size: PAGE })).then(
        ({ results, next }) => {
          if (mine !== turn.current) return
          setState(({ rows }) => ({
            rows: page === 1 ? results : [...rows, ...results],
            page,
            more: next !== null,
            loading: false,
          }))
        },
        (error: unknown) => mine === turn.current && setState((before) => ({ ...before, loading: false, error })),
      )
    },
    [question],
  )
  useEffect(() => {
    if (wanted) load(1)
    return () => void turn.current++
  }, [load, wanted, turnOf])
  const { rows, page, more, loading, error } = state
  return { rows, ready: page > 0, more, loading, error, loadMore: () => load(page + 1), reload: () => load(1) }
}
