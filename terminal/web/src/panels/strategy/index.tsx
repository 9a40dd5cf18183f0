/** Not built yet. */

import { registerPanel } from '../../workspace/panels'

function Panel() {
  return <section data-panel="strategy" />
}

registerPanel({ id: 'strategy', title: 'Strategy', icon: 'strategy', component: Panel })
