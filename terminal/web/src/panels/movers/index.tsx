/** Not built yet. */

import { registerPanel } from '../../workspace/panels'

function Panel() {
  return <section data-panel="movers" />
}

registerPanel({ id: 'movers', title: 'Movers', icon: 'movers', component: Panel })
