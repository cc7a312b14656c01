# Sourced by bash (`. scripts/env.sh`): puts what `make setup` fetched on the PATH.
# Not needed for cargo, which finds the DuckDB library through .cargo/config.toml.
ELAVA_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
export DUCKDB_LIB_DIR="${DUCKDB_LIB_DIR:-$ELAVA_ROOT/.local/duckdb}"
# Live SQL: the detector serves it, `elava sql` asks it.
if [[ -z "${ELAVA_SQL_EXTENSION:-}" && -f "$ELAVA_ROOT/.local/duckdb/quack.duckdb_extension" ]]; then
  export ELAVA_SQL_EXTENSION="$ELAVA_ROOT/.local/duckdb/quack.duckdb_extension"
fi
case ":$PATH:" in
  *":$ELAVA_ROOT/.local/venv/bin:"*) ;;
  # behind what is on the PATH already: the venv also holds python
  *) export PATH="$PATH:$ELAVA_ROOT/.local/bin:$ELAVA_ROOT/.local/venv/bin" ;;
esac
