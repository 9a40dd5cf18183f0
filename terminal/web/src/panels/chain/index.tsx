/** Not built yet. */

import { registerPanel } from '../../workspace/panels'

function Panel() {
  return <section data-panel="chain" />
}

registerPanel({ id: 'chain', title: 'Option chain', icon: 'chain', component: Panel })
