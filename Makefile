# relaykit - the whole build.  Targets: all check sanitize tsan torture bench fuzz lint
# install install-sendmail uninstall clean.  CFLAGS, LDFLAGS, CC, PREFIX, DESTDIR are the user's.

PREFIX     = /usr/local
BINDIR     = $(PREFIX)/bin
SBINDIR    = $(PREFIX)/sbin
MANDIR     = $(PREFIX)/share/man
EXAMPLEDIR = $(PREFIX)/share/doc/relaykit/examples
SHAREDIR   = $(PREFIX)/share/relaykit
BUILD      = build
CFLAGS     = -O2 -g

ARCH := $(shell $(CC) -dumpmachine)
cet   = $(if $(filter x86_64%,$(ARCH)),-fcf-protection=full)
warn  = -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
        -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2
hard  = -fstack-protector-strong -fPIE $(cet) $(fortify)
fortify = $(if $(san),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
all_cflags  = -std=c17 -D_GNU_SOURCE -pthread $(warn) $(hard) -iquote lib $(san) $(CFLAGS)
all_ldflags = -pie -Wl,-z,relro,-z,now -Wl,--as-needed -pthread $(san) $(LDFLAGS)

# Every library has one door; a program links those whose doors it pulls in (--as-needed).
pkgs   = gnutls libidn2 jansson libpsl libgsasl nettle libcrypt libcurl zlib
pcflags := $(shell pkg-config --cflags $(pkgs) 2>/dev/null)
libs   := $(shell pkg-config --libs $(pkgs) 2>/dev/null)

lib_o  = $(patsubst lib/%.c,$(BUILD)/lib/%.o,$(wildcard lib/*.c))
progs  = $(patsubst bin/%.c,$(BUILD)/bin/%,$(wildcard bin/*.c))
units  = $(patsubst tests/%.c,$(BUILD)/tests/%.t,$(wildcard tests/*.c))
faults = $(patsubst tests/faults/%.c,$(BUILD)/faults/%,$(wildcard tests/faults/*.c))
helpers = $(patsubst tests/helpers/%.c,$(BUILD)/helpers/%,$(wildcard tests/helpers/*.c))
benches = $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))
replay = $(patsubst tests/fuzz/%.c,$(BUILD)/replay/%,$(wildcard tests/fuzz/*.c))

all: $(progs)

$(BUILD)/librelay.a: $(lib_o)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/lib/%.o: lib/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(all_cflags) $(pcflags) -MMD -MP -c -o $@ $<

# The shipped rules, compiled in, and made ready by a program that runs on the machine that builds.
HOSTCC ?= $(CC)
rulesc_c = scripts/rulesc.c $(patsubst %,lib/%.c,rules rulescond pattern arena buf cur err)
$(BUILD)/rulesc: $(rulesc_c) $(wildcard lib/rules.h lib/rulescond.h lib/pattern.h)
	@mkdir -p $(@D)
	$(HOSTCC) -std=c17 -D_GNU_SOURCE -O1 $(warn) -iquote lib -o $@ $(rulesc_c)

$(BUILD)/rules.inc: share/bounce.rules $(BUILD)/rulesc
	$(BUILD)/rulesc $< >$@.new
	@mv $@.new $@

$(BUILD)/lib/rulesdata.o: all_cflags += -I$(BUILD)
$(BUILD)/lib/rulesdata.o: $(BUILD)/rules.inc

$(BUILD)/sites.inc: share/sites
	@mkdir -p $(@D)
	awk '/^[^#]/ { for (i = 2; i <= NF; i++) printf "{\"%s\", \"%s\"},\n", $$i, $$1 }' $< >$@

$(BUILD)/lib/sitetab.o: all_cflags += -I$(BUILD)
$(BUILD)/lib/sitetab.o: $(BUILD)/sites.inc

$(BUILD)/bin/%: bin/%.c $(BUILD)/librelay.a
	@mkdir -p $(@D)
	$(CC) $(all_cflags) -MMD -MP -MF $@.d $(all_ldflags) -o $@ $< $(BUILD)/librelay.a $(libs)

$(BUILD)/tests/%.t: tests/%.c $(BUILD)/librelay.a
	@mkdir -p $(@D)
	$(CC) $(all_cflags) -Itests -MMD -MP -MF $@.d $(all_ldflags) -o $@ $< $(BUILD)/librelay.a $(libs)

# A fuzz target run over its saved corpus, without libFuzzer: tests/fuzz/fuzz.h has the main.
$(BUILD)/replay/%: tests/fuzz/%.c $(BUILD)/librelay.a
	@mkdir -p $(@D)
	$(CC) $(all_cflags) -Itests -DREPLAY -MMD -MP -MF $@.d $(all_ldflags) -o $@ $< $(BUILD)/librelay.a $(libs)

# The same target with libFuzzer's main, for scripts/fuzz, which chooses the flags.
$(BUILD)/fuzzer/%: tests/fuzz/%.c $(BUILD)/librelay.a
	@mkdir -p $(@D)
	$(CC) $(all_cflags) -Itests -fsanitize=fuzzer -MMD -MP -MF $@.d $(all_ldflags) -o $@ $< $(BUILD)/librelay.a $(libs)

# The fault tools stand alone, without the library; some of them are preloaded.
fault_cflags = -std=c17 -D_GNU_SOURCE -O2 -g $(warn)
preloads = $(addprefix $(BUILD)/faults/, mallocfail clockshift slowrename)
$(preloads): fault_cflags += -shared -fPIC
$(BUILD)/faults/%: tests/faults/%.c $(wildcard tests/faults/*.h)
	@mkdir -p $(@D)
	$(CC) $(fault_cflags) -o $@ $<

# Small programs that shell tests drive the library with.
$(BUILD)/helpers/%: tests/helpers/%.c $(BUILD)/librelay.a
	@mkdir -p $(@D)
	$(CC) $(all_cflags) -MMD -MP -MF $@.d $(all_ldflags) -o $@ $< $(BUILD)/librelay.a $(libs)

$(BUILD)/bench/%: tests/bench/%.c $(BUILD)/librelay.a
	@mkdir -p $(@D)
	$(CC) $(all_cflags) -MMD -MP -MF $@.d $(all_ldflags) -o $@ $< $(BUILD)/librelay.a $(libs)

# Changed flags or libraries rebuild everything.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(all_cflags) $(all_ldflags) $(libs)' | cmp -s - $@ || \
	    echo '$(CC) $(all_cflags) $(all_ldflags) $(libs)' > $@

test-tools: all $(units) $(replay) $(faults) $(helpers)

check: test-tools
	scripts/check-layers
	BUILD=$(BUILD) prove -j4 -e '' --ext .t tests/ $(units)

sanitize:
	$(MAKE) check BUILD=build/sanitize san='-fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined'

tsan:
	scripts/tsan

torture-tools: all $(faults) $(helpers)

torture: torture-tools
	scripts/torture

bench-tools: all $(benches)

bench: bench-tools
	scripts/bench

fuzz:
	scripts/fuzz

lint:
	scripts/lint

install: all
	scripts/install '$(BUILD)' '$(DESTDIR)' '$(BINDIR)' '$(SBINDIR)' '$(MANDIR)' '$(EXAMPLEDIR)' '$(SHAREDIR)'

install-sendmail:
	scripts/install-sendmail '$(DESTDIR)' '$(BINDIR)' '$(SBINDIR)' '$(MANDIR)'

uninstall:
	scripts/install -r '$(BUILD)' '$(DESTDIR)' '$(BINDIR)' '$(SBINDIR)' '$(MANDIR)' '$(EXAMPLEDIR)' '$(SHAREDIR)'
	scripts/install-sendmail -r '$(DESTDIR)' '$(BINDIR)' '$(SBINDIR)' '$(MANDIR)'

clean:
	rm -rf build

FORCE:
.PHONY: all test-tools check sanitize tsan torture torture-tools bench bench-tools fuzz lint install install-sendmail uninstall clean FORCE

-include $(lib_o:.o=.d) $(wildcard $(BUILD)/bin/*.d $(BUILD)/helpers/*.d $(BUILD)/tests/*.d $(BUILD)/replay/*.d $(BUILD)/fuzzer/*.d $(BUILD)/bench/*.d)
