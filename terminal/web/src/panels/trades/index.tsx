/** Not built yet. */

import { registerPanel } from '../../workspace/panels'

function Panel() {
  return <section data-panel="trades" />
}

registerPanel({ id: 'trades', title: 'Trades', icon: 'trades', component: Panel })
