/** Not built yet. */

import { registerPanel } from '../../workspace/panels'

function Panel() {
  return <section data-panel="positions" />
}

registerPanel({ id: 'positions', title: 'Positions', icon: 'positions', component: Panel })
