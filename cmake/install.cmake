# What `cmake --install` puts where, for pkg-config and find_package(weir).
include(CMakePackageConfigHelpers)

set(WEIR_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/weir)
file(RELATIVE_PATH WEIR_PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" WEIR_PC_TO_PREFIX ${WEIR_PC_TO_PREFIX})
configure_file(cmake/weir.pc.in weir.pc @ONLY)
configure_file(cmake/weirConfig.cmake.in weirConfig.cmake @ONLY)
write_basic_package_version_file(weirConfigVersion.cmake COMPATIBILITY SameMinorVersion)

install(TARGETS weir EXPORT weirTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT weir)
install(EXPORT weirTargets NAMESPACE weir:: DESTINATION ${WEIR_CMAKE_DIR} COMPONENT weir)
install(DIRECTORY framework/include/weir DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT weir)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/weir.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT weir)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/weirConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/weirConfigVersion.cmake
	DESTINATION ${WEIR_CMAKE_DIR} COMPONENT weir)
if(TARGET evilnet)
	install(TARGETS evilnet RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT evilnet)
endif()
