# Sourced by bash (`. scripts/env.sh`): puts what `make setup` fetched on the PATH.
# Not needed for cargo, which finds the DuckDB library through .cargo/config.toml.
ELAVA_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
export DUCKDB_LIB_DIR="${DUCKDB_LIB_DIR:-$ELAVA_ROOT/.local/duckdb}"
case ":$PATH:" in
  *":$ELAVA_ROOT/.local/venv/bin:"*) ;;
  # behind what is on the PATH already: the venv also holds python
  *) export PATH="$PATH:$ELAVA_ROOT/.local/venv/bin" ;;
esac
