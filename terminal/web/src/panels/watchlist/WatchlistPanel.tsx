/** The user's watchlists as tabs, one of them with its rows live. */

import { useEffect } from 'preact/hooks'

import { Empty, ErrorNote, Loading } from '../../ui/Notes'
import { Tabs } from '../../ui/Tabs'
import { useLoaded } from '../../ui/useLoaded'
import type { PanelProps } from '../../workspace/panels'
import { ListMenu, NewListButton } from './ListMenu'
import { lists, loadLists } from './lists'
import { WatchGrid } from './WatchGrid'

export function WatchlistPanel({ params, setParams }: PanelProps) {
  const asked = useLoaded(loadLists, [])
  const those = lists.value
  const wanted = params['watchlist']
  const chosen = those?.find((each) => each.id === wanted) ?? those?.[0]
  const choose = (id: number) => setParams({ ...params, watchlist: id })

  useEffect(() => {
    if (chosen && wanted !== undefined && chosen.id !== wanted) choose(chosen.id)
  }, [chosen?.id])

  return (
    <section data-panel="watchlist" aria-label="Watchlists">
      {!those && (asked.error ? <ErrorNote error={asked.error} onRetry={asked.reload} /> : <Loading what="Loading watchlists" />)}
      {those && (
        <div class="panel-bar">
          <Tabs
            label="Watchlists"
            tabs={those.map(({ id, name }) => ({ id: String(id), title: name }))}
            chosen={chosen ? String(chosen.id) : null}
            onChoose={(id) => choose(Number(id))}
          />
          <NewListButton onMade={choose} />
          <span class="spring" />
          {chosen && <ListMenu list={chosen} count={those.length} />}
        </div>
      )}
      {those?.length === 0 && (
        <Empty title="No watchlist yet">
          <NewListButton onMade={choose} wide />
        </Empty>
      )}
      {chosen && <WatchGrid key={chosen.id} id={chosen.id} />}
    </section>
  )
}

