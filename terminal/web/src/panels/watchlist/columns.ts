/** The columns of a watchlist's grid. Cells are plain elements: they are drawn ten times a second. */

import type { ColDef, ICellRendererParams, ITooltipParams } from 'ag-grid-community'

import { openTicket } from '../../workspace/panels'
import { percent, price, short, signed, tone, UNKNOWN } from '../../format/price'
import { age } from '../../format/time'
import { serverNow } from '../../state/store'
import { labelOf } from '../../trading/names'
import type { WatchRow } from './rows'

const NOT_LIVE: Record<string, string> = {
  CAPACITY: 'Not live: the server’s subscriptions are used up.',
  MARKET_CLOSED: 'Not live: its market is closed.',
  NOT_OPENED: 'Not live: the list was not opened today.',
  NOT_LISTED: 'No longer listed.',
}
const SPARK = { width: 54, height: 18 }
const NAMESPACE = 'http://www.w3.org/2000/svg'

type Cell = ICellRendererParams<WatchRow>

export function watchColumns(remove: (row: WatchRow) => void): ColDef<WatchRow>[] {
  return [
    {
      colId: 'symbol',
      headerName: 'Instrument',
      valueGetter: ({ data }) => data && nameIn(data),
      cellRenderer: (cell: Cell) => symbolCell(cell, remove),
      tooltipValueGetter: ({ data }) => (data ? about(data) : ''),
      rowDrag: true,
      width: 128,
      pinned: 'left',
    },
    {
      colId: 'spark',
      headerName: 'Today',
      valueGetter: ({ data }) => data?.closes,
      cellRenderer: (cell: Cell) => spark(cell.data?.closes ?? []),
      comparator: () => 0,
      sortable: false,
      width: 66,
    },
    {
      ...figure('last', 'Last', (row) => row.lastPrice, price, 82),
      cellClass: ({ data }) => `number ${data?.stale ? 'stale' : (data?.moved ?? '')}`,
      tooltipValueGetter: ({ data }: ITooltipParams<WatchRow>) => (data ? freshness(data) : ''),
    },
    toned('percent', '%', (row) => row.percent, percent, 66),
    toned('change', 'Change', (row) => row.change, signed, 78),
    figure('interest', 'OI', (row) => row.openInterest, (value) => (value ? short(value) : UNKNOWN), 78),
    toned('interestChange', 'OI change', (row) => row.openInterestChange, signedShort, 86),
    figure('volume', 'Volume', (row) => row.volume, (value) => (value ? short(value) : UNKNOWN), 78),
  ]
}

function figure(
  colId: string,
  headerName: string,
  value: (row: WatchRow) => number | null,
  text: (value: number | null) => string,
  width: number,
): ColDef<WatchRow> {
  return {
    colId,
    headerName,
    width,
    valueGetter: ({ data }) => (data ? value(data) : null),
    valueFormatter: ({ value: shown }) => text(shown as number | null),
    cellClass: 'number',
    headerClass: 'number',
  }
}

function toned(...given: Parameters<typeof figure>): ColDef<WatchRow> {
  return { ...figure(...given), cellClass: ({ value }) => `number ${tone(value as number | null)}` }
}

function signedShort(value: number | null): string {
  if (value === null) return UNKNOWN
  return value > 0 ? `+${short(value)}` : short(value).replace('-', '−')
}

function nameIn({ instrument, item }: WatchRow): string {
  return labelOf({ instrument, ...item })
}

function about(row: WatchRow): string {
  const name = row.item.name ? `${row.item.symbol}: ${row.item.name}` : row.item.symbol
  return row.item.live ? name : `${name}. ${NOT_LIVE[row.item.not_live ?? ''] ?? ''}`
}

function freshness(row: WatchRow): string {
  if (!row.receivedAt) return 'No price has come yet.'
  return `${row.stale ? 'Old: heard' : 'Heard'} ${age(serverNow() - row.receivedAt)} ago`
}

/** The symbol, and over it while the row is pointed at: buy, sell, remove. */
function symbolCell({ data }: Cell, remove: (row: WatchRow) => void): HTMLElement {
  const cell = document.createElement('div')
  cell.className = 'watch-symbol'
  if (!data) return cell
  const name = document.createElement('span')
  name.textContent = nameIn(data)
  name.className = data.item.live ? '' : 'dim'
  const { instrument } = data
  const acts = document.createElement('div')
  acts.className = 'watch-acts'
  acts.append(
    act('B', `Buy ${nameIn(data)}`, 'buy', () => openTicket({ instrument, side: 'BUY' })),
    act('S', `Sell ${nameIn(data)}`, 'sell', () => openTicket({ instrument, side: 'SELL' })),
    act('×', `Remove ${nameIn(data)} from the list`, 'plain', () => remove(data)),
  )
  cell.append(name, acts)
  return cell
}

function act(text: string, name: string, tone: string, run: () => void): HTMLButtonElement {
  const button = document.createElement('button')
  button.type = 'button'
  button.tabIndex = -1 // from the keyboard: B, S and Delete on the row
  button.className = `button button-small button-${tone}`
  button.textContent = text
  button.setAttribute('aria-label', name)
  button.addEventListener('click', (event) => {
    event.stopPropagation()
    run()
  })
  return button
}

/** A line through the day's closes, coloured by where it ended. */
function spark(closes: readonly number[]): Element {
  const drawing = document.createElementNS(NAMESPACE, 'svg')
  drawing.setAttribute('width', String(SPARK.width))
  drawing.setAttribute('height', String(SPARK.height))
  drawing.setAttribute('aria-hidden', 'true')
  const [first, last] = [closes[0], closes.at(-1)]
  if (closes.length < 2 || first === undefined || last === undefined) return drawing
  const line = document.createElementNS(NAMESPACE, 'polyline')
  line.setAttribute('points', points(closes))
  line.setAttribute('class', `spark ${tone(last - first)}`)
  drawing.append(line)
  return drawing
}

function points(closes: readonly number[]): string {
  const low = Math.min(...closes)
  const span = Math.max(...closes) - low || 1
  const step = SPARK.width / (closes.length - 1)
  const height = SPARK.height - 2
  return closes.map((close, place) => `${(place * step).toFixed(1)},${(1 + height - ((close - low) / span) * height).toFixed(1)}`).join(' ')
}
