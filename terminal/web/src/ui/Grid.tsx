/** AG Grid with our look. Rows are compared by identity: only what is another object is drawn again, once a display frame. */

import {
  CellStyleModule,
  ClientSideRowModelApiModule,
  ClientSideRowModelModule,
  ColumnApiModule,
  ColumnAutoSizeModule,
  createGrid,
  EventApiModule,
  ModuleRegistry,
  RowApiModule,
  RowDragModule,
  ScrollApiModule,
  themeQuartz,
  TooltipModule,
  ValidationModule,
  type ColDef,
  type GridApi,
  type GridOptions,
} from 'ag-grid-community'
import { useEffect, useRef } from 'preact/hooks'

import { preferences } from '../state/session'
import { styleNonce } from './nonce'

const MODULES = [
  CellStyleModule,
  ClientSideRowModelApiModule,
  ClientSideRowModelModule,
  ColumnApiModule,
  ColumnAutoSizeModule,
  EventApiModule,
  RowApiModule,
  RowDragModule,
  ScrollApiModule,
  TooltipModule,
]
/** What our grids use; all of them together would be twice the script. While developing, validation names a missing one. */

ModuleRegistry.registerModules(import.meta.env.DEV ? [...MODULES, ValidationModule] : MODULES)

const ROW_PIXELS = { compact: 26, comfortable: 34 }

const THEME = themeQuartz.withParams({
  backgroundColor: 'var(--surface)',
  foregroundColor: 'var(--text)',
  headerBackgroundColor: 'var(--surface)',
  headerTextColor: 'var(--text-dim)',
  borderColor: 'var(--line)',
  rowHoverColor: 'var(--hover)',
  selectedRowBackgroundColor: 'var(--chosen)',
  oddRowBackgroundColor: 'var(--surface)',
  accentColor: 'var(--accent)',
  fontFamily: 'inherit',
  fontSize: 12,
  headerFontSize: 11,
  headerFontWeight: 500,
  cellHorizontalPadding: 8,
  wrapperBorder: false,
  wrapperBorderRadius: 0,
  columnBorder: false,
  spacing: 4,
})

export interface GridProps<Row extends object> {
  label: string
  columns: ColDef<Row>[]
  rows: readonly Row[]
  rowId: (row: Row) => string
  options?: GridOptions<Row>
  onReady?: (api: GridApi<Row>) => void
}

/** `columns` and `options` are read once, when the grid is made; callbacks in them should read signals or refs. */
export function Grid<Row extends object>({ label, columns, rows, rowId, options, onReady }: GridProps<Row>) {
  const element = useRef<HTMLDivElement>(null)
  const grid = useRef<GridApi<Row> | null>(null)
  const shown = useRef<readonly Row[]>([])
  const density = preferences.value.density

  useEffect(() => {
    const host = element.current
    if (!host) return undefined
    const api = createGrid<Row>(host, gridOptions(columns, rows, rowId, options))
    grid.current = api
    shown.current = rows
    host.querySelector('[role="grid"]')?.setAttribute('aria-label', label)
    onReady?.(api)
    return () => {
      grid.current = null
      api.destroy()
    }
  }, [])

  useEffect(() => {
    const height = ROW_PIXELS[density]
    grid.current?.updateGridOptions({ rowHeight: height, headerHeight: height })
  }, [density])

  useEffect(() => {
    const api = grid.current
    if (!api || api.isDestroyed() || shown.current === rows) return
    draw(api, shown.current, rows, rowId)
    shown.current = rows
  }, [rows])

  return <div ref={element} class="grid" />
}

/** The same rows in the same order are updated in place; anything else is given to the grid as a whole. */
function draw<Row extends object>(
  api: GridApi<Row>,
  before: readonly Row[],
  after: readonly Row[],
  rowId: (row: Row) => string,
): void {
  const inPlace = before.length === after.length && before.every((row, place) => rowId(row) === rowId(after[place]!))
  if (!inPlace) {
    api.setGridOption('rowData', [...after])
    return
  }
  const changed = after.filter((row, place) => row !== before[place])
  if (changed.length) api.applyTransaction({ update: changed })
}

function gridOptions<Row extends object>(
  columns: ColDef<Row>[],
  rows: readonly Row[],
  rowId: (row: Row) => string,
  options: GridOptions<Row> = {},
): GridOptions<Row> {
  const height = ROW_PIXELS[preferences.value.density]
  return {
    theme: THEME,
    ...(styleNonce() ? { styleNonce: styleNonce() } : {}),
    columnDefs: columns,
    rowData: [...rows],
    getRowId: ({ data }) => rowId(data),
    rowHeight: height,
    headerHeight: height,
    animateRows: false,
    suppressCellFocus: false,
    suppressNoRowsOverlay: true,
    suppressMovableColumns: false,
    enableCellTextSelection: true,
    tooltipShowDelay: 600,
    autoSizeStrategy: { type: 'fitGridWidth' },
    ...options,
    defaultColDef: { sortable: true, resizable: true, suppressHeaderMenuButton: true, ...options.defaultColDef },
  }
}
