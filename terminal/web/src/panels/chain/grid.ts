/** The chain's table, written by hand: cells are made once, then only their text changes, and only where it is another.
 *
 *  84 contracts at ten updates a second are a thousand cells: no diff of a tree, and no bar that is a layer. */

import type { Leg, StrikeRow } from '../../analytics/chain'
import type { Row } from '../../api/types'
import { STALE } from '../../state/quote'
import { mirrored, STRIKE_WIDTH, type Cell, type Column, type Figures, type Quote } from './columns'

/** What a click or a key in the table means. */
export interface GridActions {
  readonly select: (leg: Leg) => void
  /** At the price shown on that side; undefined when there is none. */
  readonly trade: (leg: Leg, side: 'BUY' | 'SELL', price: number | undefined) => void
  readonly watch: (leg: Leg) => void
}

/** One frame's worth: the topic's rows by place, the analytics' rows by place, and where the money is. */
export interface GridData {
  readonly columns: readonly string[]
  readonly rows: readonly Row[]
  readonly figureColumns: readonly string[]
  readonly figureRows: readonly (readonly Cell[])[]
  readonly atm: number | null
}

interface CellView {
  readonly column: Column
  readonly element: HTMLElement
  readonly text: Text
  value: Cell | undefined
  share: number
}

interface LegView {
  readonly leg: Leg
  readonly cells: readonly CellView[]
  row: Row | null
  figures: readonly Cell[] | null
}

interface RowView {
  readonly strike: StrikeRow
  readonly element: HTMLElement
  readonly legs: readonly LegView[]
}

/** Calls are on the left. */
type Side = 0 | 1

const NOTHING: readonly Cell[] = []

export class ChainGrid {
  readonly element = made('div', 'chain-grid')
  private rows: readonly RowView[] = []
  private atm: number | null = null
  private active: { row: number; side: Side } | null = null
  private data: GridData | null = null
  private following = true
  /** A panel behind another tab has no height: it is centred when it gets one. */
  private readonly resized = new ResizeObserver(() => this.following && this.centre())
  private largestInterest = 0

  constructor(private readonly actions: GridActions) {
    this.element.setAttribute('role', 'grid')
    this.element.setAttribute('aria-label', 'Option chain')
    this.element.tabIndex = 0
    this.resized.observe(this.element)
    this.element.addEventListener('click', this.clicked)
    this.element.addEventListener('keydown', this.pressed)
    this.element.addEventListener('wheel', this.scrolledByHand, { passive: true })
    this.element.addEventListener('touchmove', this.scrolledByHand, { passive: true })
  }

  /** Make the table anew: other strikes, or other columns. */
  build(strikes: readonly StrikeRow[], columns: readonly Column[]): void {
    const right = mirrored(columns)
    this.element.style.setProperty('--chain-columns', template(columns, right))
    this.element.style.setProperty('--chain-side', String(columns.length))
    this.rows = strikes.map((strike, index) => rowView(strike, columns, right, index))
    this.element.replaceChildren(...headings(columns, right), ...this.rows.map((row) => row.element))
    this.element.setAttribute('aria-rowcount', String(strikes.length + 2))
    this.element.removeAttribute('aria-activedescendant')
    this.atm = null
    this.active = null
    this.largestInterest = 0
  }

  update(data: GridData): void {
    this.data = data
    const interest = data.columns.indexOf('open_interest')
    const largest = largestOf(this.rows, data, interest)
    const rescaled = largest !== this.largestInterest
    this.largestInterest = largest
    for (const row of this.rows) {
      for (const leg of row.legs) updateLeg(leg, data, largest, rescaled)
    }
    if (data.atm !== this.atm) this.moveAtm(data.atm)
  }

  /** Bring the strike at the money to the middle, and keep it there until somebody scrolls. */
  centre(): void {
    this.following = true
    const row = this.rows.find((each) => each.strike.strike === this.atm)?.element
    const box = this.element
    if (!row || box.clientHeight === 0) return
    box.scrollTop = row.offsetTop - (box.clientHeight - row.offsetHeight) / 2
    box.scrollLeft = (box.scrollWidth - box.clientWidth) / 2
  }

  dispose(): void {
    this.resized.disconnect()
    this.element.remove()
  }

  private moveAtm(atm: number | null): void {
    this.atm = atm
    for (const { element, strike } of this.rows) {
      element.classList.toggle('atm', strike.strike === atm)
      element.classList.toggle('below', atm !== null && strike.strike < atm)
      element.classList.toggle('above', atm !== null && strike.strike > atm)
    }
    if (this.following) this.centre()
  }

  private readonly scrolledByHand = (): void => {
    this.following = false
  }

  private readonly clicked = (event: MouseEvent): void => {
    const cell = (event.target as HTMLElement).closest<HTMLElement>('[data-side]')
    const row = Number(cell?.parentElement?.dataset['row'])
    if (!cell || !this.activate(row, Number(cell.dataset['side']) as Side)) return
    if (cell.dataset['trade']) this.trade(cell.dataset['trade'] as 'BUY' | 'SELL')
  }

  private readonly pressed = (event: KeyboardEvent): void => {
    if (event.altKey || event.ctrlKey || event.metaKey) return
    if (!this.move(event.key) && !this.act(event)) return
    event.preventDefault()
    event.stopPropagation()
  }

  /** The first arrow marks the strike at the money; whether the key moved anything. */
  private move(key: string): boolean {
    const at = this.active ?? { row: this.atmRow(), side: 0 as const }
    const step = this.active ? 1 : 0
    switch (key) {
      case 'ArrowUp':
        return this.activate(at.row - step, at.side)
      case 'ArrowDown':
        return this.activate(at.row + step, at.side)
      case 'ArrowLeft':
        return this.activate(at.row, 0)
      case 'ArrowRight':
        return this.activate(at.row, 1)
      case 'Home':
        return this.activate(this.atmRow(), at.side)
      default:
        return false
    }
  }

  private act(event: KeyboardEvent): boolean {
    const leg = this.activeLeg()
    if (!leg) return false
    if (event.key === 'Enter') this.trade(event.shiftKey ? 'SELL' : 'BUY')
    else if (event.key === 'w') this.actions.watch(leg)
    else return false
    return true
  }

  /** Buying lifts the ask, selling hits the bid. */
  private trade(side: 'BUY' | 'SELL'): void {
    const leg = this.activeLeg()
    if (!leg) return
    const column = this.data?.columns.indexOf(side === 'BUY' ? 'ask_price' : 'bid_price') ?? -1
    const price = this.data?.rows[leg.topicRow]?.[column]
    this.actions.trade(leg, side, price ? price : undefined)
  }

  private activeLeg(): Leg | null {
    const row = this.active && this.rows[this.active.row]
    return this.active && row ? legOf(row, this.active.side) : null
  }

  private atmRow(): number {
    return Math.max(
      0,
      this.rows.findIndex((row) => row.strike.strike === this.atm),
    )
  }

  private activate(row: number, side: Side): boolean {
    const view = this.rows[row]
    const leg = view && legOf(view, side)
    if (!view || !leg) return false
    if (this.active) this.rows[this.active.row]?.element.classList.remove('active-call', 'active-put')
    this.active = { row, side }
    view.element.classList.add(side === 0 ? 'active-call' : 'active-put')
    view.element.scrollIntoView({ block: 'nearest' })
    this.element.setAttribute('aria-activedescendant', view.element.id)
    this.actions.select(leg)
    return true
  }
}

// --- making cells ---------------------------------------------------------------------------------

function rowView(strike: StrikeRow, left: readonly Column[], right: readonly Column[], index: number): RowView {
  const element = made('div', 'chain-row')
  element.setAttribute('role', 'row')
  element.id = `chain-${index}-${strike.strike}`
  element.dataset['row'] = String(index)
  const calls = cellViews(left, 0, strike.call)
  const puts = cellViews(right, 1, strike.put)
  const middle = made('span', 'chain-strike')
  middle.setAttribute('role', 'rowheader')
  middle.textContent = strikeText(strike.strike)
  element.append(...calls.map(elementOf), middle, ...puts.map(elementOf))
  const legs = [legView(strike.call, calls), legView(strike.put, puts)].filter((leg) => leg !== null)
  return { strike, element, legs }
}

function legView(leg: Leg | null, cells: readonly CellView[]): LegView | null {
  return leg && { leg, cells, row: null, figures: null }
}

function elementOf(cell: CellView): HTMLElement {
  return cell.element
}

function cellViews(columns: readonly Column[], side: Side, leg: Leg | null): CellView[] {
  return columns.map((column) => {
    const element = made('span', `chain-cell ${side === 0 ? 'call' : 'put'} ${column.className ?? ''}`)
    element.setAttribute('role', 'gridcell')
    element.dataset['side'] = String(side)
    if (column.trade && leg) element.dataset['trade'] = column.trade
    const text = document.createTextNode('')
    element.appendChild(made('b', '')).appendChild(text)
    return { column, element, text, value: undefined, share: -1 }
  })
}

function headings(left: readonly Column[], right: readonly Column[]): HTMLElement[] {
  const sides = made('div', 'chain-row chain-sides')
  sides.setAttribute('role', 'row')
  sides.append(heading('Calls', 'side'), heading('', 'middle'), heading('Puts', 'side'))
  const names = made('div', 'chain-row chain-names')
  names.setAttribute('role', 'row')
  const titles = (columns: readonly Column[]): HTMLElement[] =>
    columns.map((column) => heading(column.title, '', column.name))
  names.append(...titles(left), heading('Strike', 'middle'), ...titles(right))
  return [sides, names]
}

function heading(text: string, className: string, title = ''): HTMLElement {
  const element = made('span', `chain-heading ${className}`)
  element.setAttribute('role', 'columnheader')
  element.textContent = text
  if (title) element.title = title
  return element
}

function made<Name extends keyof HTMLElementTagNameMap>(name: Name, className: string): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name)
  if (className) element.className = className
  return element
}

function template(left: readonly Column[], right: readonly Column[]): string {
  const widths = (columns: readonly Column[]): string =>
    columns.map((column) => `minmax(${column.width}px, ${column.width}fr)`).join(' ')
  return `${widths(left)} ${STRIKE_WIDTH}px ${widths(right)}`
}

function strikeText(paise: number): string {
  return paise % 100 === 0 ? String(paise / 100) : (paise / 100).toFixed(2)
}

// --- updating them --------------------------------------------------------------------------------

function legOf(row: RowView, side: Side): Leg | null {
  return side === 0 ? row.strike.call : row.strike.put
}

function largestOf(rows: readonly RowView[], data: GridData, column: number): number {
  let largest = 0
  for (const row of rows) {
    for (const { leg } of row.legs) largest = Math.max(largest, data.rows[leg.topicRow]?.[column] ?? 0)
  }
  return largest
}

function updateLeg(view: LegView, data: GridData, largest: number, rescaled: boolean): void {
  const row = data.rows[view.leg.topicRow]
  if (!row) return
  const figures = data.figureRows[view.leg.analyticsRow] ?? NOTHING
  if (row === view.row && figures === view.figures && !rescaled) return
  const quote: Quote = (name) => row[data.columns.indexOf(name)] ?? 0
  const figure: Figures = (name) => figures[data.figureColumns.indexOf(name)] ?? null
  const stale = (quote('flags') & STALE) !== 0
  const wasStale = view.row === null ? null : ((view.row[data.columns.indexOf('flags')] ?? 0) & STALE) !== 0
  view.row = row
  view.figures = figures
  for (const cell of view.cells) {
    updateCell(cell, cell.column.value(quote, figure), largest)
    if (stale !== wasStale) cell.element.classList.toggle('stale', stale)
  }
}

function updateCell(cell: CellView, value: Cell, largest: number): void {
  if (cell.column.bar && typeof value === 'number') scaleBar(cell, largest > 0 ? value / largest : 0)
  if (value === cell.value) return
  const { column, element } = cell
  const before = cell.value
  cell.value = value
  cell.text.data = column.text(value)
  if (column.signed) mark(element, before, value)
  if (column.hint) element.title = column.hint(value)
}

/** A background, since a transform or an opacity for each cell makes the compositor sort all layers at each frame. */
function scaleBar(cell: CellView, share: number): void {
  const rounded = Math.round(share * 100) / 100
  if (rounded === cell.share) return
  cell.share = rounded
  cell.element.style.backgroundSize = `${Math.round(rounded * 100)}% 18px`
}

function mark(element: HTMLElement, before: Cell | undefined, value: Cell): void {
  const sign = signOf(value)
  if (before !== undefined && signOf(before) === sign) return
  element.classList.toggle('rise', sign > 0)
  element.classList.toggle('fall', sign < 0)
}

function signOf(value: Cell): number {
  return typeof value === 'number' ? Math.sign(value) : 0
}
