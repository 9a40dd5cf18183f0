/** Not built yet. */

import { registerPanel } from '../../workspace/panels'

function Panel() {
  return <section data-panel="settings" />
}

registerPanel({ id: 'settings', title: 'Settings', icon: 'settings', component: Panel })
