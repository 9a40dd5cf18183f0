/** Not built yet. */

import { registerPanel } from '../../workspace/panels'

function Panel() {
  return <section data-panel="watchlist" />
}

registerPanel({ id: 'watchlist', title: 'Watchlists', icon: 'watchlist', component: Panel })
