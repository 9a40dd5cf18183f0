/** A dialog with a box for each column a chain can show. */

import { useState } from 'preact/hooks'

import { sentence } from '../../api/rest'
import { Button } from '../../ui/Button'
import { Dialog } from '../../ui/Dialog'
import { Check } from '../../ui/Field'
import { ErrorNote } from '../../ui/Notes'
import { chooseColumns, chosenIds } from './choice'
import { COLUMNS, DEFAULT_COLUMNS } from './columns'

export function ColumnChooser() {
  const [open, setOpen] = useState(false)
  return (
    <>
      <Button small onClick={() => setOpen(true)}>
        Columns
      </Button>
      {open && <Chooser onClose={() => setOpen(false)} />}
    </>
  )
}

function Chooser({ onClose }: { onClose: () => void }) {
  const [failure, setFailure] = useState('')
  const chosen = new Set(chosenIds.value)
  const keep = (ids: readonly string[]) => {
    setFailure('')
    chooseColumns(ids).catch((error: unknown) => setFailure(sentence(error)))
  }
  const toggle = (id: string, on: boolean) => keep([...chosen].filter((each) => each !== id).concat(on ? [id] : []))
  const actions = (
    <>
      <Button onClick={() => keep(DEFAULT_COLUMNS)}>As delivered</Button>
      <Button tone="primary" onClick={onClose}>
        Done
      </Button>
    </>
  )
  return (
    <Dialog title="Columns of the option chain" onClose={onClose} actions={actions}>
      {failure && <ErrorNote error={failure} />}
      <div class="column-choice">
        {COLUMNS.map((column) => (
          <Check
            key={column.id}
            label={column.name}
            checked={chosen.has(column.id)}
            disabled={chosen.size === 1 && chosen.has(column.id)}
            onValue={(on) => toggle(column.id, on)}
          />
        ))}
      </div>
    </Dialog>
  )
}
