/** Preferences, which are kept with the layout, and the user's password and second factor. */

import { prefer, preferences, type Density, type Theme } from '../../state/session'
import { Button } from '../../ui/Button'
import { Check, Select } from '../../ui/Field'
import { askToReset } from '../../workspace/commands'
import type { PanelProps } from '../../workspace/panels'
import { PasswordForm } from './PasswordForm'
import { SecondFactor } from './SecondFactor'

const THEMES: [Theme, string][] = [
  ['dark', 'Dark'],
  ['light', 'Light'],
]
const DENSITIES: [Density, string][] = [
  ['compact', 'Compact: more rows'],
  ['comfortable', 'Comfortable: larger text'],
]

export function SettingsPanel(_: PanelProps) {
  const { theme, density, confirmOrders } = preferences.value
  return (
    <section data-panel="settings" aria-label="Settings">
      <div class="panel-scroll">
        <div class="settings">
          <div class="settings-block">
            <h2>Appearance</h2>
            <Select label="Theme" value={theme} options={THEMES} onValue={(chosen) => void prefer({ theme: chosen as Theme })} />
            <Select
              label="Density"
              value={density}
              options={DENSITIES}
              onValue={(chosen) => void prefer({ density: chosen as Density })}
            />
            <Button onClick={() => void askToReset()}>Arrange the panels as at first</Button>
          </div>
          <div class="settings-block">
            <h2>Orders</h2>
            <Check
              label="Ask before an order is sent"
              checked={confirmOrders}
              onValue={(checked) => void prefer({ confirmOrders: checked })}
            />
          </div>
          <PasswordForm />
          <SecondFactor />
        </div>
      </div>
    </section>
  )
}
