# cmake --install: bin/mmdiff, bin/mmdiff-fuzz if this tree builds it, share/mmdiff/{corpora,crashes,kernel}, shell
# completions where shells look for them, documentation and licence.
if(TARGET mmdiff)
  install(TARGETS mmdiff RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  set(completions ${CMAKE_CURRENT_BINARY_DIR}/completions)
  add_custom_command(
    OUTPUT ${completions}/mmdiff.bash ${completions}/_mmdiff ${completions}/mmdiff.fish
    COMMAND ${CMAKE_COMMAND} -E make_directory ${completions}
    COMMAND mmdiff completion bash > ${completions}/mmdiff.bash
    COMMAND mmdiff completion zsh > ${completions}/_mmdiff
    COMMAND mmdiff completion fish > ${completions}/mmdiff.fish
    DEPENDS mmdiff VERBATIM)
  add_custom_target(completions ALL DEPENDS ${completions}/mmdiff.bash ${completions}/_mmdiff
                                            ${completions}/mmdiff.fish)
  install(FILES ${completions}/mmdiff.bash
          DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME mmdiff)
  install(FILES ${completions}/_mmdiff DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
  install(FILES ${completions}/mmdiff.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()
if(TARGET mmdiff-fuzz)
  install(TARGETS mmdiff-fuzz RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(DIRECTORY corpora crashes DESTINATION ${CMAKE_INSTALL_DATADIR}/mmdiff
        PATTERN "*.cc" EXCLUDE PATTERN "*.h" EXCLUDE PATTERN CMakeLists.txt EXCLUDE)
# What goes into guests is compiled for each kernel; and how their images are fetched.
install(DIRECTORY kernel/guest kernel/executor DESTINATION ${CMAKE_INSTALL_DATADIR}/mmdiff/kernel
        USE_SOURCE_PERMISSIONS PATTERN "*.cc" EXCLUDE PATTERN "*_test.sh" EXCLUDE
        PATTERN "kernel/guest/*.h" EXCLUDE)
install(FILES kernel/wire.h kernel/apt.sh DESTINATION ${CMAKE_INSTALL_DATADIR}/mmdiff/kernel)
install(DIRECTORY program harness DESTINATION ${CMAKE_INSTALL_DATADIR}/mmdiff FILES_MATCHING PATTERN "*.def")
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ci/packages.txt DESTINATION ${CMAKE_INSTALL_DATADIR}/mmdiff)
install(FILES README.md LICENSE CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
