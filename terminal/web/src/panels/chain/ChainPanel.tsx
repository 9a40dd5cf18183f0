/** The option chain of an underlying: expiries as tabs, the figures of the expiry above, calls and puts by strike below. */

import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'

import type { Leg } from '../../analytics/chain'
import { api, withQuery } from '../../api/rest'
import { date } from '../../format/time'
import { instrument as listing, selectedInstrument } from '../../state/selection'
import { refusalSignal } from '../../state/store'
import { Empty, ErrorNote, Loading } from '../../ui/Notes'
import { Tabs } from '../../ui/Tabs'
import { useLoaded } from '../../ui/useLoaded'
import type { PanelProps } from '../../workspace/panels'
import { ChainTable } from './ChainTable'
import { ColumnChooser } from './ColumnChooser'
import { LegBar } from './LegBar'
import { Strip } from './Strip'
import { grouped, loadUnderlyings, nameOf, underlyingOf, type Underlying } from './underlyings'

export function ChainPanel(props: PanelProps) {
  const { value: known, error, reload } = useLoaded(loadUnderlyings, [])
  return (
    <section class="panel chain" data-panel="chain" aria-label="Option chain">
      {error ? <ErrorNote error={error} onRetry={reload} /> : !known && <Loading what="Reading what has options" />}
      {known?.length === 0 && <Empty title="No options are listed today." />}
      {known?.[0] && <Chains known={known} first={known[0]} {...props} />}
    </section>
  )
}

/** Which underlying is shown: kept in the panel's params, and changed by what is selected unless pinned. */
function Chains({ known, first, params, setParams }: PanelProps & { known: readonly Underlying[]; first: Underlying }) {
  const kept = known.find((each) => nameOf(each) === params['chain'])
  const shown = kept ?? known.find((each) => each.underlying === 'NIFTY') ?? first
  const pinned = params['pinned'] === true
  const selected = selectedInstrument.value
  useEffect(() => {
    if (!selected || pinned) return
    void listing(selected).then(
      (found) => {
        const next = underlyingOf(found, known)
        if (next && next !== shown) setParams({ ...params, chain: nameOf(next) })
      },
      () => undefined, // what is not listed has no chain; the panels that show it say so
    )
  }, [selected])
  return (
    <Expiries key={nameOf(shown)} underlying={shown}>
      <select
        class="input chain-underlying"
        aria-label="Underlying"
        onChange={(event) => setParams({ ...params, chain: event.currentTarget.value })}
      >
        {grouped(known).map(({ title, members }) => (
          <optgroup key={title} label={title}>
            {members.map((each) => (
              <option key={nameOf(each)} value={nameOf(each)} selected={each === shown}>
                {each.segment.startsWith('BSE') ? `${each.underlying} (BSE)` : each.underlying}
              </option>
            ))}
          </optgroup>
        ))}
      </select>
      <button
        type="button"
        class="pin"
        aria-pressed={pinned}
        title={
          pinned ? 'Pinned. Press to follow the selected instrument' : 'Follows the selected instrument. Press to pin'
        }
        onClick={() => setParams({ ...params, chain: nameOf(shown), pinned: !pinned })}
      >
        {pinned ? 'Pinned' : 'Pin'}
      </button>
    </Expiries>
  )
}

function Expiries({ underlying, children }: { underlying: Underlying; children: ComponentChildren }) {
  const { segment, underlying: name } = underlying
  const ask = () => api.get<{ expiries: string[] }>(withQuery('expiries', { segment, underlying: name }))
  const { value, error, reload } = useLoaded(ask, [nameOf(underlying)])
  const [chosen, choose] = useState<string | null>(null)
  const expiries = value?.expiries ?? []
  const expiry = chosen !== null && expiries.includes(chosen) ? chosen : expiries[0]
  return (
    <>
      <header class="panel-bar chain-bar">
        {children}
        <Tabs
          label="Expiries"
          tabs={expiries.map((each) => ({ id: each, title: shortDate(each) }))}
          chosen={expiry ?? null}
          onChoose={choose}
        />
        <ColumnChooser />
      </header>
      {error ? <ErrorNote error={error} onRetry={reload} /> : !value && <Loading what="Reading the expiries" />}
      {value && !expiry && <Empty title={`No options of ${name} are listed today.`} />}
      {expiry && <Expiry key={expiry} underlying={underlying} expiry={expiry} />}
    </>
  )
}

function Expiry({ underlying, expiry }: { underlying: Underlying; expiry: string }) {
  const topic = `chain.${nameOf(underlying)}.${expiry}`
  const [leg, setLeg] = useState<Leg | null>(null)
  const refusal = refusalSignal(topic).value
  if (refusal) return <Empty title={`No options of ${underlying.underlying} expire on ${date(expiry)}.`} />
  return (
    <>
      <Strip topic={topic} />
      <ChainTable topic={topic} onLeg={setLeg} />
      {leg && <LegBar leg={leg} underlying={underlying.underlying} expiry={expiry} />}
    </>
  )
}

/** 24 Feb 2026 -> 24 Feb; the year is told of the next one on. */
function shortDate(expiry: string): string {
  const text = date(expiry)
  return expiry.slice(0, 4) === new Date().toISOString().slice(0, 4) ? text.slice(0, -5) : text
}
