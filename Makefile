# `make test` and `make demo` are all the set-up there is; uv is used where present.
