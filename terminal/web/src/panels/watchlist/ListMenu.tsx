/** Making, renaming, moving and deleting a watchlist. */

import { useState } from 'preact/hooks'

import { sentence } from '../../api/rest'
import type { Watchlist } from '../../api/types'
import { notify } from '../../state/notifications'
import { Button } from '../../ui/Button'
import { confirm } from '../../ui/Confirm'
import { Dialog } from '../../ui/Dialog'
import { Field } from '../../ui/Field'
import { Icon, IconButton } from '../../ui/Icon'
import { Popover } from '../../ui/Popover'
import { createList, deleteList, moveList, renameList } from './lists'

const NAME_LENGTH = 60

export function NewListButton({ onMade, wide }: { onMade: (id: number) => void; wide?: boolean }) {
  const [open, setOpen] = useState(false)
  const make = async (name: string) => {
    onMade((await createList(name)).id)
    setOpen(false)
  }
  return (
    <>
      {wide ? (
        <Button tone="primary" onClick={() => setOpen(true)}>
          New watchlist
        </Button>
      ) : (
        <IconButton icon="plus" name="New watchlist" onClick={() => setOpen(true)} />
      )}
      {open && <NameDialog title="New watchlist" action="Make it" first="" save={make} onClose={() => setOpen(false)} />}
    </>
  )
}

export function ListMenu({ list, count }: { list: Watchlist; count: number }) {
  const [renaming, setRenaming] = useState(false)
  const rename = async (name: string) => {
    await renameList(list.id, name)
    setRenaming(false)
  }
  return (
    <>
      <Popover label={`Watchlist ${list.name}`} class="icon-button" title="Rename, move, delete" button={<Icon name="more" />}>
        {(close) => (
          <>
            <Item text="Rename …" close={close} run={() => setRenaming(true)} />
            {list.position > 0 && <Item text="Move left" close={close} run={() => void attempt(moveList(list.id, list.position - 1))} />}
            {list.position < count - 1 && (
              <Item text="Move right" close={close} run={() => void attempt(moveList(list.id, list.position + 1))} />
            )}
            <Item text="Delete …" close={close} run={() => void askToDelete(list)} />
          </>
        )}
      </Popover>
      {renaming && (
        <NameDialog title="Rename the watchlist" action="Rename" first={list.name} save={rename} onClose={() => setRenaming(false)} />
      )}
    </>
  )
}

function Item({ text, run, close }: { text: string; run: () => void; close: () => void }) {
  const press = () => {
    close()
    run()
  }
  return (
    <button type="button" class="menu-item" onClick={press}>
      {text}
    </button>
  )
}

interface NameDialogProps {
  title: string
  action: string
  first: string
  save: (name: string) => Promise<void>
  onClose: () => void
}

function NameDialog({ title, action, first, save, onClose }: NameDialogProps) {
  const [name, setName] = useState(first)
  const [error, setError] = useState('')
  const submit = (event: Event) => {
    event.preventDefault()
    save(name.trim()).catch((reason: unknown) => setError(sentence(reason)))
  }
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={submit} class="dialog-body">
        <Field label="Name" value={name} onValue={setName} error={error} maxLength={NAME_LENGTH} autofocus required />
        <div class="dialog-actions">
          <Button onClick={onClose}>Back</Button>
          <button type="submit" class="button button-primary" disabled={!name.trim()}>
            {action}
          </button>
        </div>
      </form>
    </Dialog>
  )
}

async function askToDelete(list: Watchlist): Promise<void> {
  const yes = await confirm({
    title: `Delete “${list.name}”?`,
    text: 'The list and its order are gone then. Positions and orders in its instruments stay.',
    action: 'Delete the list',
    danger: true,
  })
  if (yes) await attempt(deleteList(list.id))
}

async function attempt(change: Promise<void>): Promise<void> {
  try {
    await change
  } catch (error) {
    notify({ tone: 'bad', title: 'The watchlist was not changed', text: sentence(error) })
  }
}
