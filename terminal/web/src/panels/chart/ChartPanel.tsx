/** A chart of one instrument: candles and volume, indicators, the account's orders and positions, and orders from it. */

import { useEffect, useMemo, useRef, useState } from 'preact/hooks'

import { INTERVALS, type Interval } from '../../analytics/bars'
import type { Instrument, InstrumentKey } from '../../api/types'
import { useAccount } from '../../state/accounts'
import { preferences } from '../../state/session'
import { topicSignal } from '../../state/store'
import { Empty, ErrorNote, Loading } from '../../ui/Notes'
import { nameOf } from '../../trading/names'
import { followedInstrument, PinButton, useListing } from '../../workspace/following'
import type { PanelProps } from '../../workspace/panels'
import { ChartMenu } from './ChartMenu'
import { ChartDesk } from './desk'
import { Legend } from './Legend'
import { marksOf } from './marks'
import { StudyChooser } from './StudyChooser'

const DEFAULT_INTERVAL: Interval = '5'
const DEFAULT_STUDIES: readonly string[] = ['vwap']

export function ChartPanel(props: PanelProps) {
  const key = followedInstrument(props.params)
  const listing = useListing(key)
  return (
    <section class="panel chart" data-panel="chart" aria-label="Chart">
      {!key && <Empty title="Select an instrument to see its chart." />}
      {listing instanceof Error && <ErrorNote error={listing} />}
      {key && !listing && <Loading what="Reading the instrument" />}
      {key && listing && !(listing instanceof Error) && <Chart {...props} instrument={key} listing={listing} />}
    </section>
  )
}

interface ChartProps extends PanelProps {
  instrument: InstrumentKey
  listing: Instrument
}

function Chart({ params, setParams, instrument, listing }: ChartProps) {
  const interval = INTERVALS.find(({ id }) => id === params['interval'])?.id ?? DEFAULT_INTERVAL
  const studies = (params['studies'] as readonly string[] | undefined) ?? DEFAULT_STUDIES
  return (
    <>
      <header class="panel-bar">
        <h2>{nameOf(listing, instrument)}</h2>
        <div class="segments" role="group" aria-label="Interval">
          {INTERVALS.map(({ id, title, name }) => (
            <button
              key={id}
              type="button"
              title={name}
              aria-pressed={id === interval}
              onClick={() => setParams({ ...params, interval: id })}
            >
              {title}
            </button>
          ))}
        </div>
        <StudyChooser chosen={studies} onChoose={(ids) => setParams({ ...params, studies: ids })} />
        <PinButton params={params} setParams={setParams} shown={instrument} />
        <a class="chart-by" href="https://www.tradingview.com/" target="_blank" rel="noreferrer">
          Charts by TradingView
        </a>
      </header>
      <GapNote instrument={instrument} />
      <Canvas key={`${instrument} ${interval}`} listing={listing} interval={interval} studies={studies} />
    </>
  )
}

function GapNote({ instrument }: { instrument: InstrumentKey }) {
  if (!topicSignal(`instrument.${instrument}`).value?.gap) return null
  return <p class="gap-note">Trades were missed; the chart is read again when prices are back.</p>
}

interface CanvasProps {
  listing: Instrument
  interval: Interval
  studies: readonly string[]
}

function Canvas({ listing, interval, studies }: CanvasProps) {
  const host = useRef<HTMLDivElement>(null)
  const [desk, setDesk] = useState<ChartDesk | null>(null)
  const account = useAccount()
  const marks = useMemo(() => marksOf(account, listing.instrument), [account, listing])
  const theme = preferences.value.theme
  useEffect(() => {
    if (!host.current) return undefined
    const made = new ChartDesk(host.current, listing, interval)
    setDesk(made)
    return () => made.dispose()
  }, [])
  useEffect(() => desk?.setStudies(studies), [desk, studies.join()])
  useEffect(() => desk?.setMarks(marks), [desk, marks])
  useEffect(() => desk?.recolour(), [desk, theme])
  return (
    <div class="chart-body">
      <div class="chart-host" ref={host} />
      {desk && <Over desk={desk} listing={listing} interval={interval} />}
    </div>
  )
}

/** What lies over the canvas. */
function Over({ desk, listing, interval }: { desk: ChartDesk; listing: Instrument; interval: Interval }) {
  const place = desk.menu.value
  return (
    <>
      <Legend reading={desk.reading} interval={interval} />
      <ChartState desk={desk} />
      {place && (
        <ChartMenu
          place={place}
          listing={listing}
          last={desk.reading.value?.bar.close ?? 0}
          onClose={() => (desk.menu.value = null)}
        />
      )}
    </>
  )
}

function ChartState({ desk }: { desk: ChartDesk }) {
  const failure = desk.failure.value
  if (failure) return <ErrorNote error={failure} onRetry={() => desk.load()} />
  if (!desk.loaded.value) return <Loading what="Reading candles" />
  return desk.reading.value ? null : <Empty title="Nothing was traded yet; the first trade draws the first bar." />
}
