/** The chains that a strategy needs, looked at twice a second: figures for eyes, not for every tick. */

import { effect } from '@preact/signals'
import { useEffect, useState } from 'preact/hooks'

import { serverNow, subscribe, topicSignal } from '../../state/store'
import { chainView, type Underlying, type Views } from '../../trading/strategy'

const LOOK_MILLISECONDS = 500

export interface Chains {
  views: Views
  /** Something was missed in one of them: figures may be behind. */
  gap: boolean
}

const NONE: Chains = { views: new Map(), gap: false }

export function useChains(underlying: Underlying | null, expiries: readonly string[]): Chains {
  const [chains, setChains] = useState<Chains>(NONE)
  const wanted =
    underlying &&
    [...new Set(expiries)]
      .sort()
      .map((expiry) => `${chainOf(underlying)}.${expiry}`)
      .join()
  useEffect(() => {
    if (!wanted) {
      setChains(NONE)
      return undefined
    }
    const names = wanted.split(',')
    const leaving = names.map(subscribe)
    const stop = looking(names, () => setChains(read(names)))
    return () => {
      stop()
      leaving.forEach((leave) => leave())
    }
  }, [wanted])
  return chains
}

/** Looks at once when a topic comes, then as often as it changes but not more than twice a second. */
function looking(names: readonly string[], look: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined
  let last = 0
  const stop = effect(() => {
    for (const name of names) void topicSignal(name).value
    if (timer !== undefined) return
    const wait = Math.max(0, last + LOOK_MILLISECONDS - Date.now())
    timer = setTimeout(() => {
      timer = undefined
      last = Date.now()
      look()
    }, wait)
  })
  return () => {
    stop()
    clearTimeout(timer)
  }
}

function read(names: readonly string[]): Chains {
  const topics = names.map((name) => topicSignal(name).peek()).filter((topic) => topic !== undefined)
  const views = topics.map((topic) => chainView(topic, serverNow()))
  return { views: new Map(views.map((view) => [view.expiry, view])), gap: topics.some((topic) => topic.gap) }
}

function chainOf({ segment, underlying }: Underlying): string {
  return `chain.${segment}.${underlying}`
}
