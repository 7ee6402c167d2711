# Warmpath: see README.md. `make help` lists the targets.

VERSION := 0.1.0
PREFIX  ?= /usr/local
BUILD   ?= build
CC      ?= gcc

# Overridden by the sanitizer targets.
SANITIZE ?=
OPT      ?= -O2

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
        -Wwrite-strings -Wvla
BASE_CFLAGS := -std=gnu11 -D_GNU_SOURCE -DWARMPATH_VERSION='"$(VERSION)"' -I. -g $(OPT) $(WARN) -MMD -MP

# The library redefines libc's names: no fortified inlines, no builtins of them, nothing exported
# but what symbols.def names.
PRELOAD_CFLAGS := $(BASE_CFLAGS) -include preload/oldlibc.h -fPIC -fvisibility=hidden -ftls-model=initial-exec -fno-builtin \
                  -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=0 -fno-stack-protector \
                  -fno-delete-null-pointer-checks $(if $(findstring clang,$(CC)),-Wno-tautological-pointer-compare,-Wno-nonnull-compare)
AGENT_CFLAGS := $(BASE_CFLAGS) $(SANITIZE) -D_FORTIFY_SOURCE=2 -fstack-protector-strong
AGENT_LIBS := -lcurl -lcrypto -lexpat -ljansson -lxxhash -lhiredis -lpthread
# TLS to Redis comes with hiredis 1.0 and later; Debian 12 has 0.14.
ifneq ($(wildcard /usr/include/hiredis/hiredis_ssl.h),)
AGENT_CFLAGS += -DWARMPATH_REDIS_TLS
AGENT_LIBS := -lhiredis_ssl -lssl $(AGENT_LIBS)
endif
TOOL_LIBS := -ljansson -lcrypto

COMMON_SRC  := $(wildcard common/*.c)
PRELOAD_SRC := $(wildcard preload/*.c)
AGENT_SRC   := $(wildcard agent/*.c agent/store/*.c)
FETCH_SRC   := $(wildcard fetch/*.c)
POLICY_SRC  := $(wildcard policy/*.c)
TOOL_SRC    := $(wildcard tool/*.c)
SIM_SRC     := $(wildcard sim/*.c)
UNIT_SRC    := $(wildcard tests/unit/test_*.c)

PRELOAD_COMMON := common/map.c common/options.c common/wire.c common/log.c common/counters.c common/elf.c \
                  common/clock.c
PRELOAD_OBJ := $(patsubst %.c,$(BUILD)/pic/%.o,$(PRELOAD_SRC) $(PRELOAD_COMMON))
PARTS_OBJ   := $(patsubst %.c,$(BUILD)/obj/%.o,$(COMMON_SRC) $(FETCH_SRC) $(POLICY_SRC) \
                 $(filter-out agent/main.c,$(AGENT_SRC)))
AGENT_OBJ   := $(PARTS_OBJ) $(BUILD)/obj/agent/main.o
SIM_OBJ     := $(patsubst %.c,$(BUILD)/obj/%.o,$(SIM_SRC) $(POLICY_SRC))
TOOL_OBJ    := $(patsubst %.c,$(BUILD)/obj/%.o,$(COMMON_SRC) $(TOOL_SRC))
UNIT_BIN    := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(UNIT_SRC))

.PHONY: all deps build demo test scale bench sim lint layers format asan tsan fuzz fuzz-build unit install clean help

all:
	@scripts/deps build
	@$(MAKE) --no-print-directory build

help:
	@echo 'all (default)  install what is missing, build'
	@echo 'demo           a real inference job on a real S3, from nothing'
	@echo 'test           every test; closes with "N passed, N failed"'
	@echo 'scale          eight nodes together: S3 is asked for each block once, and peers make up for a thin line (root)'
	@echo 'bench          side by side with local files, curl, s3fs, rclone and JuiceFS'
	@echo 'sim            hundreds of simulated nodes over the same policy: a table, and plots in build/sim'
	@echo 'lint           compilers, clang-tidy, format, layers, shellcheck'
	@echo 'fuzz           what parses, FUZZ_SECONDS (20) for each target'
	@echo 'asan           agent and unit tests under address and undefined-behaviour sanitizers'
	@echo 'install        library, agent, tool and man pages into PREFIX ($(PREFIX))'

deps:
	@scripts/deps

build: $(BUILD)/libwarmpath.so $(BUILD)/warmpathd $(BUILD)/warmpath
	@:

demo: all
	@scripts/deps demo
	@scripts/demo

test: all
	@scripts/deps test
	@$(MAKE) --no-print-directory unit
	@tests/run

scale: all
	@scripts/deps test
	@tests/run --only scale

bench: all
	@scripts/deps bench
	@bench/run

# The table comes first: without matplotlib there is no picture, but there are figures.
sim:
	@scripts/deps build
	@$(MAKE) --no-print-directory $(BUILD)/warmpath-sim
	@mkdir -p $(BUILD)/sim && rm -f $(BUILD)/sim/*.csv $(BUILD)/sim/*.png
	@status=0; $(BUILD)/warmpath-sim --out $(BUILD)/sim $(SIM_ARGS) || status=1; \
	  scripts/deps demo && $$(scripts/venv | tail -n 1)/bin/python sim/plots.py $(BUILD)/sim && exit $$status

unit: $(UNIT_BIN)

# --- the library -----------------------------------------------------------------

$(BUILD)/symbols.map $(BUILD)/twins.ld: preload/symbols.def scripts/symbols
	@mkdir -p $(BUILD)
	@scripts/symbols map <preload/symbols.def >$(BUILD)/symbols.map
	@scripts/symbols twins <preload/symbols.def >$(BUILD)/twins.ld

$(BUILD)/pic/%.o: %.c
	@mkdir -p $(@D)
	@echo 'CC   $<'
	@$(CC) $(PRELOAD_CFLAGS) -c -o $@ $<

$(BUILD)/libwarmpath.so: $(PRELOAD_OBJ) $(BUILD)/symbols.map $(BUILD)/twins.ld
	@echo 'LINK $@'
	@$(CC) -shared -o $@ $(PRELOAD_OBJ) $(BUILD)/twins.ld -Wl,--version-script=$(BUILD)/symbols.map \
	  -Wl,--wrap=syscall -Wl,-Bsymbolic -Wl,-z,now -Wl,-z,relro -Wl,--no-undefined -Wl,--no-as-needed -l:libdl.so.2
	@scripts/check-library $@

# --- agent, tool, unit tests -------------------------------------------------------

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo 'CC   $<'
	@$(CC) $(AGENT_CFLAGS) -c -o $@ $<

$(BUILD)/warmpathd: $(AGENT_OBJ)
	@echo 'LINK $@'
	@$(CC) $(SANITIZE) -o $@ $^ $(AGENT_LIBS)

$(BUILD)/warmpath: $(TOOL_OBJ)
	@echo 'LINK $@'
	@$(CC) $(SANITIZE) -o $@ $^ $(TOOL_LIBS)

$(BUILD)/warmpath-sim: $(SIM_OBJ)
	@echo 'LINK $@'
	@$(CC) $(SANITIZE) -o $@ $^

$(BUILD)/tests/unit/test_sim: tests/unit/test_sim.c $(filter-out %/sim/main.o,$(SIM_OBJ))
	@mkdir -p $(@D)
	@echo 'LINK $@'
	@$(CC) $(AGENT_CFLAGS) -o $@ $< $(filter-out %/sim/main.o,$(SIM_OBJ)) -lcmocka

$(BUILD)/tests/unit/%: tests/unit/%.c $(PARTS_OBJ)
	@mkdir -p $(@D)
	@echo 'LINK $@'
	@$(CC) $(AGENT_CFLAGS) -o $@ $< $(PARTS_OBJ) -lcmocka $(AGENT_LIBS)

# --- checks ------------------------------------------------------------------------

C_FILES := $(wildcard common/*.[ch] preload/*.[ch] agent/*.[ch] agent/store/*.[ch] fetch/*.[ch] policy/*.[ch] tool/*.[ch] sim/*.[ch] tests/unit/*.[ch] tests/fuzz/*.[ch])

lint: layers
	@scripts/deps lint
	@scripts/lint $(C_FILES)

layers:
	@scripts/layers

format:
	clang-format -i $(C_FILES)

ASAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
TSAN := -fsanitize=thread -fno-omit-frame-pointer

asan:
	@$(MAKE) --no-print-directory BUILD=build/asan OPT=-O1 SANITIZE="$(ASAN)" build unit
	@tests/run --build build/asan --only unit,agent,faults

tsan:
	@$(MAKE) --no-print-directory BUILD=build/tsan OPT=-O1 SANITIZE="$(TSAN)" build unit
	@tests/run --build build/tsan --only unit,agent

# Each target for FUZZ_SECONDS, beginning with its seeds and with what earlier runs found.
FUZZ_SECONDS ?= 20
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BIN := $(patsubst tests/fuzz/fuzz_%.c,$(BUILD)/fuzz_%,$(FUZZ_SRC))
FUZZ_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

fuzz:
	@scripts/deps build fuzz
	@$(MAKE) --no-print-directory CC=clang BUILD=build/fuzz OPT=-O1 \
	  SANITIZE="-fsanitize=fuzzer-no-link $(FUZZ_SANITIZE)" fuzz-build
	@scripts/fuzz build/fuzz $(FUZZ_SECONDS)

fuzz-build: $(FUZZ_BIN)

# An archive: a target that brings a function of its own leaves the real one out.
$(BUILD)/parts.a: $(PARTS_OBJ)
	@rm -f $@
	@ar rcs $@ $(PARTS_OBJ)

$(BUILD)/fuzz_%: tests/fuzz/fuzz_%.c tests/fuzz/fuzz.h $(BUILD)/parts.a
	@echo 'LINK $@'
	@$(CC) $(filter-out -MMD -MP,$(AGENT_CFLAGS)) -fsanitize=fuzzer -o $@ $< $(BUILD)/parts.a $(AGENT_LIBS)

install: build
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/warmpath $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 $(BUILD)/libwarmpath.so $(BUILD)/warmpathd $(DESTDIR)$(PREFIX)/lib/warmpath/
	install -m 755 $(BUILD)/warmpath $(DESTDIR)$(PREFIX)/bin/
	install -m 644 docs/man/warmpath.1 docs/man/warmpathd.1 $(DESTDIR)$(PREFIX)/share/man/man1/

clean:
	rm -rf $(BUILD)

-include $(PRELOAD_OBJ:.o=.d) $(AGENT_OBJ:.o=.d) $(TOOL_OBJ:.o=.d) $(SIM_OBJ:.o=.d) $(UNIT_BIN:=.d)
