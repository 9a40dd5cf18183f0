/** Something asked of the server for a component: loading, there, or failed, and asking again. */

import { useCallback, useEffect, useRef, useState } from 'preact/hooks'

export interface Loaded<Value> {
  readonly value: Value | undefined
  readonly error: unknown
  readonly loading: boolean
  readonly reload: () => void
}

/** Asked when shown and when `inputs` change; an answer that came too late is dropped. Null asks nothing. */
export function useLoaded<Value>(ask: (() => Promise<Value>) | null, inputs: readonly unknown[]): Loaded<Value> {
  const [state, setState] = useState<{ value?: Value | undefined; error?: unknown; loading: boolean }>({
    loading: ask !== null,
  })
  const turn = useRef(0)
  const reload = useCallback(() => {
    const mine = ++turn.current
    if (!ask) return setState({ loading: false })
    setState((before) => ({ ...before, loading: true, error: undefined }))
    ask().then(
      (value) => mine === turn.current && setState({ value, loading: false }),
      (error: unknown) => mine === turn.current && setState({ error, loading: false }),
    )
  }, inputs)
  useEffect(() => {
    reload()
    return () => void turn.current++
  }, [reload])
  return { value: state.value, error: state.error, loading: state.loading, reload }
}
