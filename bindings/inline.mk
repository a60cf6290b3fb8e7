# SPDX-License-Identifier: GPL-2.0
#
# How the C helpers of a module become part of it; $(module)-helpers names their files.
#
# A helper that is linked costs Rust a call, and what a call clobbers, for an instruction or two of C. So a
# clang with rustc's LLVM compiles the helpers, those of the kernel crate too, to bitcode, which is linked
# with rustc's and optimised as one. CONFIG_RUST_INLINE_HELPERS does the same for the kernel crate alone,
# and only if clang has built the whole kernel.
#
# They are linked as objects where there is no such clang, where clang has built the kernel, with
# INLINE_HELPERS=n, and where tests make functions fail (CONFIG_FAIL_FUNCTION), which inlined are none.

helper_llvm := $(shell expr $(CONFIG_RUSTC_LLVM_VERSION) / 10000)
HELPER_CC ?= clang-$(helper_llvm)
HELPER_LINK ?= llvm-link-$(helper_llvm)
HELPER_OPT ?= opt-$(helper_llvm)

helper_tools := $(shell type $(HELPER_CC) $(HELPER_LINK) $(HELPER_OPT) >/dev/null 2>&1 && echo y)
INLINE_HELPERS ?= $(if $(CONFIG_FAIL_FUNCTION),n,$(if $(helper_tools),$(CONFIG_CC_IS_GCC)))

helper_files = $(addprefix bindings/helpers/,$($(1)-helpers))
helper_modules := $(obj-m:.o=)

ifneq ($(INLINE_HELPERS),y)

$(foreach module,$(helper_modules),$(eval \
	$(module)-y += $(addsuffix .o,$(call helper_files,$(module)))))

$(obj)/%_root.o: $(src)/%.rs $(obj)/bindings/generated.rs FORCE
	+$(call if_changed_rule,rustc_o_rs)

else

$(foreach module,$(helper_modules),$(eval \
	$(obj)/$(module)_root.o: $(patsubst %,$(obj)/%.bc,$(call helper_files,$(module)) bindings/helpers/kernel)))

# gcc's flags, without those that only gcc knows, in clang's words; a function that is inlined is traced and
# protected as the one that it is inlined into.
helper_flags = -include $(src)/bindings/clang.h $(filter -Wp$(comma)%,$(c_flags)) $(filter-out -W% -g -pg -mfentry -fstack-protector% \
	-fsanitize=% $(bindgen_skip_c_flags),$(c_flags)) -w -DMODULE -DRNET_INLINE_HELPERS --target=x86_64-linux-gnu \
	$(if $(CONFIG_MITIGATION_RETPOLINE),-mretpoline-external-thunk) \
	$(if $(CONFIG_MITIGATION_RETHUNK),-mfunction-return=thunk-extern)
# Of these the ones for the generation of code.
helper_codegen_flags = $(filter-out -I% -D% -U% -include -Wp$(comma)% -nostdinc %.h,$(helper_flags))
# What others refer to. Everything else that is not called is left out.
helper_public := init_module,cleanup_module,__mod_device_table__*

quiet_cmd_helper_bc = HELPER  $(quiet_modtag) $@
      cmd_helper_bc = $(HELPER_CC) $(helper_flags) -emit-llvm -c -o $@ $<

$(obj)/bindings/helpers/kernel.bc: $(rust_sources)helpers/helpers.c FORCE
	$(call if_changed_dep,helper_bc)

$(obj)/bindings/helpers/%.bc: $(src)/bindings/helpers/%.c FORCE
	$(call if_changed_dep,helper_bc)

quiet_cmd_rustc_inline = $(RUSTC_OR_CLIPPY_QUIET) $(quiet_modtag) $@
      cmd_rustc_inline = $(rust_common_cmd) --emit=llvm-bc=$(@:.o=.rust.bc) $<; \
	$(HELPER_LINK) --suppress-warnings $(@:.o=.rust.bc) $(filter %.bc,$^) -o $(@:.o=.linked.bc); \
	$(HELPER_OPT) -passes=internalize --internalize-public-api-list=$(helper_public) \
		$(@:.o=.linked.bc) -o $(@:.o=.bc); \
	$(HELPER_CC) $(helper_codegen_flags) -Wno-override-module \
		-mllvm -trap-unreachable -mllvm -no-trap-after-noreturn -c $(@:.o=.bc) -o $@ $(cmd_objtool)

define rule_rustc_inline
	$(call cmd_and_fixdep,rustc_inline)
	$(call cmd,gen_objtooldep)
endef

$(obj)/%_root.o: $(src)/%.rs $(obj)/bindings/generated.rs FORCE
	+$(call if_changed_rule,rustc_inline)

targets += $(patsubst %,bindings/helpers/%.bc,kernel $(foreach module,$(helper_modules),$($(module)-helpers)))
clean-files += *.bc bindings/helpers/*.bc

endif
