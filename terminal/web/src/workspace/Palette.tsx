/** The command palette: every panel and action by name, from the keyboard. */

import { useState } from 'preact/hooks'

import { paletteOpen } from '../state/palette'
import { Dialog } from '../ui/Dialog'
import { Field } from '../ui/Field'
import { Icon } from '../ui/Icon'
import { allCommands, type Command } from './commands'
import { matching } from './matching'
import { SHORTCUTS } from './shortcuts'

export function Palette() {
  if (!paletteOpen.value) return null
  return (
    <Dialog title="Commands" onClose={() => (paletteOpen.value = false)}>
      <PaletteBody />
    </Dialog>
  )
}

function PaletteBody() {
  const [words, setWords] = useState('')
  const [place, setPlace] = useState(0)
  const commands = matching(allCommands(), words)
  const run = (command: Command | undefined) => {
    if (!command) return
    paletteOpen.value = false
    command.run()
  }
  const onKey = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step && commands.length) setPlace((place + step + commands.length) % commands.length)
    else if (event.key === 'Enter') run(commands[place])
    else return
    event.preventDefault()
  }
  return (
    <div class="palette" onKeyDown={onKey}>
      <Field
        label="Find a command"
        hideLabel
        placeholder="Type a command: chart, light theme, sign out"
        value={words}
        onValue={(text) => {
          setWords(text)
          setPlace(0)
        }}
        autofocus
      />
      <ul class="search-list" aria-label="Commands">
        {commands.map((command, index) => (
          <li key={command.name}>
            <button type="button" class="menu-item" aria-current={index === place} onClick={() => run(command)}>
              <Icon name={command.icon} />
              {command.name}
            </button>
          </li>
        ))}
        {!commands.length && <li class="search-note">No command has these words.</li>}
      </ul>
      <ShortcutList />
    </div>
  )
}

function ShortcutList() {
  return (
    <dl class="shortcuts">
      {SHORTCUTS.map(({ keys, what }) => (
        <div key={keys}>
          <dt class="key">{keys}</dt>
          <dd>{what}</dd>
        </div>
      ))}
    </dl>
  )
}
