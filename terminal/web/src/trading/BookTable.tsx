/** A book as a table: sortable by its headers, figures to the right, an opened row below the one it belongs to. */

import { Fragment, type ComponentChildren } from 'preact'
import { useMemo, useState } from 'preact/hooks'

import { Button } from '../ui/Button'
import { sortedBy, type SortValue } from './sorting'
import './trading.css'

export interface Column<Row> {
  id: string
  title: string
  /** What the header says to who points at it. */
  hint?: string
  cell: (row: Row) => ComponentChildren
  sort?: (row: Row) => SortValue
  figure?: boolean
}

export interface BookTableProps<Row> {
  label: string
  columns: readonly Column<Row>[]
  rows: readonly Row[]
  rowKey: (row: Row) => string | number
  rowClass?: (row: Row) => string
  /** Shown below a row, over its whole width; null: nothing. */
  opened?: (row: Row) => ComponentChildren
  footer?: ComponentChildren
}

interface Sorting {
  id: string
  descending: boolean
}

/** Rows drawn at first; a book of thousands is asked for more. */
const SHOWN = 200

export function BookTable<Row>(props: BookTableProps<Row>) {
  const { label, columns, rows, rowKey, rowClass, opened, footer } = props
  const [sorting, setSorting] = useState<Sorting | null>(null)
  const [shown, setShown] = useState(SHOWN)
  const sorted = useMemo(() => {
    const by = columns.find((column) => column.id === sorting?.id)?.sort
    return by && sorting ? sortedBy(rows, by, sorting.descending) : rows
  }, [rows, columns, sorting])
  return (
    <div class="book-scroll" tabIndex={0} role="region" aria-label={label}>
      <table class="book-table" aria-label={label}>
        <Head columns={columns} sorting={sorting} onSort={(id) => setSorting(nextSorting(sorting, id))} />
        <tbody>
          {sorted.slice(0, shown).map((row) => (
            <BookRow key={rowKey(row)} row={row} columns={columns} more={rowClass?.(row)} opened={opened?.(row)} />
          ))}
        </tbody>
        {footer && <tfoot>{footer}</tfoot>}
      </table>
      {sorted.length > shown && (
        <Button small class="book-more" onClick={() => setShown(shown + SHOWN)}>
          Show {Math.min(SHOWN, sorted.length - shown)} more of {sorted.length}
        </Button>
      )}
    </div>
  )
}

interface HeadProps<Row> {
  columns: readonly Column<Row>[]
  sorting: Sorting | null
  onSort: (id: string) => void
}

function Head<Row>({ columns, sorting, onSort }: HeadProps<Row>) {
  return (
    <thead>
      <tr>
        {columns.map(({ id, title, hint, sort, figure }) => (
          <th key={id} scope="col" class={figure ? 'figure' : undefined} title={hint} aria-sort={wordOf(sorting, id)}>
            {sort ? (
              <button type="button" class="book-sort" onClick={() => onSort(id)}>
                {title}
                <span aria-hidden="true">{sorting?.id !== id ? '' : sorting.descending ? ' ↓' : ' ↑'}</span>
              </button>
            ) : (
              title || <span class="unseen">Actions</span>
            )}
          </th>
        ))}
      </tr>
    </thead>
  )
}

interface BookRowProps<Row> {
  row: Row
  columns: readonly Column<Row>[]
  more: string | undefined
  opened: ComponentChildren
}

function BookRow<Row>({ row, columns, more, opened }: BookRowProps<Row>) {
  return (
    <Fragment>
      <tr class={more}>
        {columns.map((column) => (
          <td key={column.id} class={column.figure ? 'figure' : undefined}>
            {column.cell(row)}
          </td>
        ))}
      </tr>
      {opened ? (
        <tr class="book-opened">
          <td colSpan={columns.length}>{opened}</td>
        </tr>
      ) : null}
    </Fragment>
  )
}

/** Up, down, and as the book is. */
function nextSorting(sorting: Sorting | null, id: string): Sorting | null {
  if (sorting?.id !== id) return { id, descending: false }
  return sorting.descending ? null : { id, descending: true }
}

function wordOf(sorting: Sorting | null, id: string): 'ascending' | 'descending' | 'none' {
  if (sorting?.id !== id) return 'none'
  return sorting.descending ? 'descending' : 'ascending'
}
