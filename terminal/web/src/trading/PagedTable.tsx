/** A paged list of REST as a table with all of its states. */

import { Button } from '../ui/Button'
import { Empty, ErrorNote, Loading } from '../ui/Notes'
import { BookTable, type Column } from './BookTable'
import type { Pages } from './pages'

interface PagedTableProps<Row> {
  label: string
  pages: Pages<Row>
  columns: readonly Column<Row>[]
  rowKey: (row: Row) => string | number
  /** What to say when there is nothing. */
  none: string
}

export function PagedTable<Row>({ label, pages, columns, rowKey, none }: PagedTableProps<Row>) {
  if (!pages.ready && pages.error !== undefined) return <ErrorNote error={pages.error} onRetry={pages.reload} />
  if (!pages.ready) return <Loading what={`Reading ${label.toLowerCase()}`} />
  if (!pages.rows.length) return <Empty title={none} />
  return (
    <>
      <BookTable label={label} columns={columns} rows={pages.rows} rowKey={rowKey} />
      {pages.error !== undefined && <ErrorNote error={pages.error} onRetry={pages.loadMore} />}
      {pages.more && (
        <Button small class="book-more" busy={pages.loading} onClick={pages.loadMore}>
          Load more
        </Button>
      )}
    </>
  )
}
